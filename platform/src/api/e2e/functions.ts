/** Functions over the E2E door: create, read, change by group, scale, deploy again, logs, metrics. */

import { createHash, randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { CodeSource } from '../../code/code-source.js';
import { PlatformError } from '../../domain/errors.js';
import type { WebFunction, WebState } from '../../domain/web-function.js';
import { offersOf } from '../../runtimes/managed-runtimes.js';
import { readBody, requireMediaType } from '../body.js';
import type { DoorParts, Exchange } from '../door.js';
import { timestamp, wholeNumber } from '../query.js';
import type { Reply } from '../reply.js';
import type { Fields } from './body.js';
import * as body from './body.js';
import * as spec from './function-body.js';
import type { UpdateGroup } from './routes.js';

const STATUS: Readonly<Record<WebState, string>> = {
  deploying: 'Deploying',
  updating: 'Updating',
  running: 'Running',
  failed: 'Failed',
  idle: 'Idle',
};
const FILE_NAMES = { node: 'handler.js', python: 'handler.py' } as const;
const BASE64 = /^[A-Za-z0-9+/\s]*={0,2}\s*$/;
const GROUP_FIELDS: Readonly<Record<UpdateGroup, readonly string[]>> = {
  all: [...spec.FIXED, ...spec.CODE, 'config', ...spec.ENVIRONMENT, ...spec.METADATA],
  code: spec.CODE,
  config: spec.CONFIG,
  environment: spec.ENVIRONMENT,
  metadata: spec.METADATA,
};

export async function create(exchange: Exchange, parts: DoorParts): Promise<Reply> {
  const fields = await readFields(exchange, parts);
  body.refuseUnknown(fields, GROUP_FIELDS.all);
  const name = spec.requireName(fields);
  const namespace = spec.namespaceOf(fields, parts.namespace);
  const asked = spec.newSpec(fields, await offersOf(parts.interpreters));
  const fn = await withSource(fields, asked, parts, async (source, sha256) => {
    if (source === undefined) throw body.invalid('code_archive', 'or code_inline is missing');
    return parts.web.create({ namespace, name, spec: spec.withCode(asked, fields, sha256), source });
  });
  return { status: 201, body: toJson(fn, exchange, parts) };
}

export function list(exchange: Exchange, parts: DoorParts): Reply {
  const functions = parts.web.list().filter(isOfThisDoor);
  return { status: 200, body: functions.map((fn) => toJson(fn, exchange, parts)) };
}

export function read(id: string, exchange: Exchange, parts: DoorParts): Reply {
  return { status: 200, body: toJson(find(id, parts), exchange, parts) };
}

export async function update(
  id: string,
  group: UpdateGroup,
  exchange: Exchange,
  parts: DoorParts,
): Promise<Reply> {
  const before = find(id, parts);
  const fields = await readFields(exchange, parts);
  body.refuseUnknown(fields, GROUP_FIELDS[group]);
  refuseFixed(fields, before);
  const fn = await withSource(fields, before, parts, (source, sha256) =>
    parts.web.update(before.id, (current) => changed(current, group, fields, sha256), source),
  );
  return { status: 200, body: toJson(fn, exchange, parts) };
}

export async function scale(id: string, exchange: Exchange, parts: DoorParts): Promise<Reply> {
  const fn = find(id, parts);
  const fields = await readFields(exchange, parts);
  body.refuseUnknown(fields, ['replicas']);
  const replicas = spec.requireReplicas(fields);
  const { min, max } = fn.scale;
  // What was a fixed number stays one.
  const range = min === max ? { min: replicas, max: replicas } : {};
  return { status: 200, body: toJson(parts.web.scale(fn.id, { replicas, ...range }), exchange, parts) };
}

export function deployAgain(id: string, exchange: Exchange, parts: DoorParts): Reply {
  return { status: 202, body: toJson(parts.web.redeploy(find(id, parts).id), exchange, parts) };
}

export function remove(id: string, parts: DoorParts): Reply {
  const fn = find(id, parts);
  parts.web.delete(fn.id);
  parts.engine.calls.forget(fn.id);
  return { status: 200, body: { id: fn.id, status: 'Deleted' } };
}

export function logs(id: string, query: URLSearchParams, parts: DoorParts): Reply {
  const { functionLogs, limits } = parts.engine;
  const sinceMs = timestamp(query, 'since');
  const callId = query.get('call_id') ?? undefined;
  const tail = wholeNumber(query, 'tail', 100, 0, limits.logRetentionLines);
  const filter = { ...(sinceMs !== undefined && { sinceMs }), ...(callId !== undefined && { callId }) };
  const entries = functionLogs.tail(find(id, parts).id, tail, filter).map((entry) => ({
    timestamp: entry.time,
    stream: entry.stream,
    message: entry.message,
    ...(entry.callId !== undefined && { call_id: entry.callId }),
    ...(entry.truncated && { truncated: true }),
  }));
  return { status: 200, body: { logs: entries } };
}

/** Counted since the platform was started; what nothing measured is absent. */
export function metrics(id: string, parts: DoorParts): Reply {
  const fn = find(id, parts);
  const figures = parts.web.metrics(fn.id);
  const answered = figures.requests - figures.failures;
  return {
    status: 200,
    body: {
      id: fn.id,
      invocation_count: figures.requests,
      failure_count: figures.failures,
      timeout_count: figures.timeouts,
      status_counts: figures.statuses,
      in_flight: figures.inflight,
      replicas: fn.scale.replicas,
      ready_replicas: figures.ready,
      ...(answered > 0 && {
        average_duration_ms: Math.round((figures.totalMs / answered) * 1000) / 1000,
        longest_duration_ms: Math.round(figures.longestMs * 1000) / 1000,
      }),
      ...(figures.peakMemoryBytes !== undefined && { peak_memory_bytes: figures.peakMemoryBytes }),
    },
  };
}

/** By its id, or by `{name}.{namespace}`. @throws PlatformError NOT_FOUND */
export function find(id: string, { web }: DoorParts): WebFunction {
  const [name = '', namespace = ''] = id.split('.');
  const found = web.get(id) ?? web.find(namespace, name);
  if (found !== undefined && isOfThisDoor(found)) return found;
  const details = { id: id.slice(0, 80) };
  throw new PlatformError('NOT_FOUND', `There is no function ${details.id}.`, { details });
}

function isOfThisDoor(fn: WebFunction): boolean {
  return 'runtime' in fn.facts;
}

function changed(current: spec.Spec, group: UpdateGroup, fields: Fields, sha256?: string): spec.Spec {
  switch (group) {
    case 'code':
      return spec.withCode(current, fields, sha256);
    case 'config':
      return spec.withConfig(current, fields);
    case 'environment':
      return spec.withEnvironment(current, fields);
    case 'metadata':
      return spec.withMetadata(current, fields);
    case 'all': {
      const config = body.object(fields, 'config') ?? {};
      const code = spec.withConfig(spec.withCode(current, fields, sha256), config, 'config.');
      return spec.withMetadata(spec.withEnvironment(code, fields), fields);
    }
  }
}

/** Saying again what stands is no change. */
function refuseFixed(fields: Fields, fn: WebFunction): void {
  const stands: Fields = { ...fn.facts, name: fn.name, namespace: fn.namespace };
  const other = spec.FIXED.find((field) => fields[field] !== undefined && fields[field] !== stands[field]);
  if (other !== undefined) throw body.invalid(other, 'cannot be changed; create another function');
}

/** Hands over the code of the body; an archive lies in a file for as long as `use` takes. */
async function withSource<T>(
  fields: Fields,
  { program }: Pick<spec.Spec, 'program'>,
  parts: DoorParts,
  use: (source: CodeSource | undefined, sha256?: string) => Promise<T>,
): Promise<T> {
  const inline = body.text(fields, 'code_inline');
  const archive = body.text(fields, 'code_archive');
  if (inline !== undefined && archive !== undefined)
    throw body.invalid('code_inline', 'and code_archive cannot both be given');
  if (inline !== undefined) {
    const content = Buffer.from(inline);
    const language = program.kind === 'managed' ? program.language : 'node';
    return use({ kind: 'file', name: FILE_NAMES[language], content }, hashOf(content));
  }
  if (archive === undefined) return use(undefined);
  if (!BASE64.test(archive)) throw body.invalid('code_archive', 'must be base64');
  const bytes = Buffer.from(archive, 'base64');
  if (bytes.length > parts.engine.limits.maxZipBytes)
    throw new PlatformError(
      'PAYLOAD_TOO_LARGE',
      `code_archive has more than ${parts.engine.limits.maxZipBytes} bytes.`,
    );
  const sha256 = hashOf(bytes);
  const file = join(parts.incomingFolder, `${randomUUID()}.zip`);
  try {
    await writeFile(file, bytes, { flag: 'wx', mode: 0o600 });
    return await use({ kind: 'zip', file, sha256 }, sha256);
  } finally {
    await rm(file, { force: true });
  }
}

export async function readFields({ request, response }: Exchange, { engine }: DoorParts): Promise<Fields> {
  engine.refuseWhenClosing();
  requireMediaType(request, ['application/json']);
  // An archive in base64, and room for what stands around it.
  const maxBytes = Math.ceil((engine.limits.maxZipBytes * 4) / 3) + 2 * 1024 * 1024;
  return body.parseJsonObject(await readBody(request, response, maxBytes));
}

function toJson(fn: WebFunction, { baseUrl }: Exchange, { web }: DoorParts): object {
  const { state, ready, reason } = web.status(fn.id);
  const facts = spec.factsOf(fn);
  const { min_scale: min, max_scale: max } = facts;
  return {
    id: fn.id,
    name: fn.name,
    namespace: fn.namespace,
    runtime: facts.runtime,
    template: facts.template,
    handler_function: facts.handler_function,
    invoke_url: `${baseUrl}/faas/function/v1/${fn.name}.${fn.namespace}/`,
    status: STATUS[state],
    ...(reason !== undefined && { error_message: reason }),
    version: `v${fn.version}`,
    ...(facts.code_sha256 !== undefined && { code_sha256: facts.code_sha256 }),
    config: {
      memory_mb: fn.limits.memoryMb,
      timeout_seconds: fn.limits.timeoutSecs,
      replicas: fn.scale.replicas,
      hardware_type: facts.hardware_type,
      ...(min !== undefined && { min_scale: min }),
      ...(max !== undefined && { max_scale: max }),
    },
    ready_replicas: ready,
    environment: fn.env,
    secrets: fn.secrets,
    labels: fn.labels,
    annotations: fn.annotations,
    invocation_count: web.metrics(fn.id).requests,
    created_at: fn.createdAt,
    updated_at: fn.updatedAt,
  };
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
