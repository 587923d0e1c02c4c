/** `/system/functions` and what stands around it. */

import { createHash, randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { arch } from 'node:os';
import { join } from 'node:path';

import type { CodeSource } from '../../code/code-source.js';
import { PlatformError } from '../../domain/errors.js';
import type { WebFunction } from '../../domain/web-function.js';
import { readBody } from '../body.js';
import type { DoorParts, Exchange } from '../door.js';
import type { Reply } from '../reply.js';
import {
  type Fields,
  isObject,
  isOfThisDoor,
  MAX_REPLICAS,
  nameIn,
  type Spec,
  secretsIn,
  specIn,
  statusOf,
} from './deployment.js';
import { empty, json, plain, text } from './replies.js';

export function info({ version, engine, build }: DoorParts): Reply {
  const release = { sha: build, release: version };
  const orchestration = engine.isolation.mode;
  return json({
    provider: { provider: 'jobferry', version: release, orchestration },
    version: { commit_message: `jobferry platform ${version}`, ...release },
    arch: arch() === 'x64' ? 'x86_64' : arch(),
  });
}

export function list(query: URLSearchParams, parts: DoorParts): Reply {
  const namespace = namespaceOf(query.get('namespace'), parts);
  const functions = parts.web.list().filter((fn) => fn.namespace === namespace && isOfThisDoor(fn));
  return json(functions.map((fn) => describe(fn, parts)));
}

export function read(name: string, query: URLSearchParams, parts: DoorParts): Reply {
  const fn = find(name, query.get('namespace'), parts);
  return fn === undefined ? empty(404) : json(describe(fn, parts));
}

export async function create(exchange: Exchange, parts: DoorParts): Promise<Reply> {
  const { fields, name, namespace, spec } = await readDeployment(exchange, parts);
  if (parts.web.find(namespace, name) !== undefined)
    return text(409, `unable create function: ${name}.${namespace} already exists`);
  if (spec.program.kind === 'managed' && fields['code_archive'] === undefined)
    return text(400, `image: ${String(fields['image'])} runs the code in code_archive, and there is none`);
  await withArchive(fields, parts, (source) =>
    parts.web.create({ namespace, name, spec, ...(source !== undefined && { source }) }),
  );
  return empty(202);
}

/** The whole function is replaced, but code that came with an earlier request stays unless there is other. */
export async function update(exchange: Exchange, parts: DoorParts): Promise<Reply> {
  const { fields, name, namespace, spec } = await readDeployment(exchange, parts);
  const fn = find(name, namespace, parts);
  if (fn === undefined) return text(404, `unable update function: ${name}.${namespace} not found`);
  await withArchive(fields, parts, (source) => parts.web.update(fn.id, () => spec, source));
  return empty(202);
}

export async function remove(query: URLSearchParams, exchange: Exchange, parts: DoorParts): Promise<Reply> {
  const fields = await readObject(exchange, parts);
  const name = fields?.['functionName'];
  if (fields === undefined || typeof name !== 'string' || name === '') return empty(400);
  // faas-cli names the namespace in the body, others in the query.
  const fn = find(name, fields['namespace'] ?? query.get('namespace'), parts);
  if (fn === undefined) return plain(404, `function ${name.slice(0, 80)} not found`);
  parts.web.delete(fn.id);
  parts.engine.calls.forget(fn.id);
  return empty(202);
}

export async function scale(
  name: string,
  query: URLSearchParams,
  exchange: Exchange,
  parts: DoorParts,
): Promise<Reply> {
  const fields = await readObject(exchange, parts);
  if (fields === undefined) return text(400, 'Error unmarshalling request body');
  const replicas = fields['replicas'];
  if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < 0 || replicas > MAX_REPLICAS)
    return text(400, `replicas must be a whole number from 0 to ${MAX_REPLICAS}`);
  const fn = find(name, fields['namespace'] ?? query.get('namespace'), parts);
  if (fn === undefined) return text(404, `unable to lookup function ${name}`);
  parts.web.scale(fn.id, { replicas });
  return empty(202);
}

/** As AlertManager sends it: more instances while an alert fires, the fewest when it is resolved. */
export async function alert(exchange: Exchange, parts: DoorParts): Promise<Reply> {
  const fields = await readObject(exchange, parts);
  const alerts = fields?.['alerts'];
  if (fields === undefined || !Array.isArray(alerts)) return plain(400, 'Unable to parse alert, bad format.');
  for (const one of alerts as unknown[]) {
    const { labels, status } = isObject(one) ? one : {};
    const target = isObject(labels) ? labels['function_name'] : undefined;
    const [name = '', namespace = null] = String(target ?? '').split(/\.(?=[^.]*$)/);
    const fn = find(name, namespace, parts);
    if (fn === undefined || fn.scale.min >= fn.scale.max) continue;
    const { replicas, min, max } = fn.scale;
    const step = Math.ceil((max / 100) * Number(fn.labels['com.openfaas.scale.factor'] ?? 20));
    parts.web.scale(fn.id, { replicas: status === 'resolved' ? min : Math.min(replicas + step, max) });
  }
  return empty(200);
}

export function find(name: string, namespace: unknown, parts: DoorParts): WebFunction | undefined {
  const where = typeof namespace === 'string' && namespace !== '' ? namespace : parts.openfaas.namespace;
  const fn = parts.web.find(where, name);
  return fn !== undefined && isOfThisDoor(fn) ? fn : undefined;
}

/** @throws PlatformError INVALID_CONFIG for one that is not among the platform's */
export function namespaceOf(value: unknown, { openfaas }: DoorParts): string {
  const namespace = value ?? '';
  if (namespace === '') return openfaas.namespace;
  if (typeof namespace === 'string' && openfaas.namespaces.includes(namespace)) return namespace;
  throw new PlatformError(
    'INVALID_CONFIG',
    `namespace ${String(namespace).slice(0, 80)} is not one of this platform: ${openfaas.namespaces.join(', ')}`,
  );
}

/** Undefined for what is no JSON object. */
export async function readObject(
  { request, response }: Exchange,
  { engine }: DoorParts,
): Promise<Fields | undefined> {
  engine.refuseWhenClosing();
  const maxBytes = Math.ceil((engine.limits.maxZipBytes * 4) / 3) + 2 * 1024 * 1024;
  try {
    const body = await readBody(request, response, maxBytes);
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof PlatformError) throw error;
    return undefined;
  }
}

interface Deployment {
  readonly fields: Fields;
  readonly name: string;
  readonly namespace: string;
  readonly spec: Spec;
}

/** @throws PlatformError INVALID_REQUEST, INVALID_CONFIG */
async function readDeployment(exchange: Exchange, parts: DoorParts): Promise<Deployment> {
  const fields = await readObject(exchange, parts);
  if (fields === undefined)
    throw new PlatformError('INVALID_REQUEST', 'failed to unmarshal request: the body is no JSON object');
  const name = nameIn(fields);
  const namespace = namespaceOf(fields['namespace'], parts);
  for (const secret of secretsIn(fields)) {
    if (await parts.web.secrets.has(namespace, secret)) continue;
    throw new PlatformError(
      'INVALID_CONFIG',
      `unable to fetch secrets: secrets "${secret.slice(0, 80)}" not found`,
    );
  }
  return { fields, name, namespace, spec: specIn(fields, parts.engine.limits) };
}

/** `code_archive` is a field of this platform: a zip in base64, in whose folder `envProcess` is started. */
async function withArchive(
  fields: Fields,
  { engine, incomingFolder }: DoorParts,
  use: (source: CodeSource | undefined) => Promise<unknown>,
): Promise<void> {
  const archive = fields['code_archive'] ?? undefined;
  if (archive === undefined) return void (await use(undefined));
  if (typeof archive !== 'string') throw new PlatformError('INVALID_CONFIG', 'code_archive must be base64');
  const bytes = Buffer.from(archive, 'base64');
  if (bytes.length > engine.limits.maxZipBytes)
    throw new PlatformError(
      'PAYLOAD_TOO_LARGE',
      `code_archive has more than ${engine.limits.maxZipBytes} bytes`,
    );
  const file = join(incomingFolder, `${randomUUID()}.zip`);
  try {
    await writeFile(file, bytes, { flag: 'wx', mode: 0o600 });
    await use({ kind: 'zip', file, sha256: createHash('sha256').update(bytes).digest('hex') });
  } finally {
    await rm(file, { force: true });
  }
}

function describe(fn: WebFunction, { web }: DoorParts): object {
  return statusOf(fn, web.status(fn.id), web.metrics(fn.id).requests);
}
