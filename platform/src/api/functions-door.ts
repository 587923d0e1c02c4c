/** Functions over HTTP: deploy, list, describe, health, warm, undeploy. */

import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { PlatformError } from '../domain/errors.js';
import { parseConfigHeader } from '../domain/function-config.js';
import { etagOf, type FunctionRecord } from '../domain/function-record.js';
import { parsePrecondition } from '../domain/precondition.js';
import { type Engine, storeFull } from '../engine.js';
import { isStoreFull } from '../store/database.js';
import { requireMediaType, saveBody } from './body.js';
import type { DoorParts, Exchange } from './door.js';
import { pageLimit } from './query.js';
import { errorReply, type Reply } from './reply.js';

export async function deploy(
  functionId: string,
  query: URLSearchParams,
  exchange: Exchange,
  parts: DoorParts,
): Promise<Reply> {
  const { request, response } = exchange;
  const { engine } = parts;
  engine.refuseWhenClosing();
  requireMediaType(request, ['application/zip', 'application/octet-stream']);
  const header = request.headers['x-blueprint-config'];
  const config = parseConfigHeader(Array.isArray(header) ? header.join(',') : header, engine.limits);
  const precondition = parsePrecondition(request.headers['if-match'], request.headers['if-none-match']);
  // Asked again when the code is in place; asked here so that nobody uploads in vain.
  engine.requirePrecondition(functionId, precondition);
  const replace = query.get('replace') === 'true';
  const zipFile = join(parts.incomingFolder, `${randomUUID()}.zip`);
  try {
    const { bytes: zipBytes, sha256 } = await saveBody(request, response, zipFile, engine.limits.maxZipBytes);
    const record = await engine.deploy({
      functionId,
      zipFile,
      sha256,
      zipBytes,
      config,
      replace,
      precondition,
    });
    return recordReply(record, exchange.baseUrl);
  } catch (error) {
    throw isStoreFull(error) ? storeFull(error) : error;
  } finally {
    await rm(zipFile, { force: true });
  }
}

export function list(query: URLSearchParams, { baseUrl }: Exchange, engine: Engine): Reply {
  const { functions, next } = engine.list(pageLimit(query), query.get('after') ?? undefined);
  const body = {
    functions: functions.map((record) => toJson(record, baseUrl)),
    ...(next !== undefined && { next }),
  };
  return { status: 200, body };
}

export function describe(functionId: string, { baseUrl }: Exchange, engine: Engine): Reply {
  return recordReply(engine.describe(functionId), baseUrl);
}

export async function undeploy(functionId: string, { request }: Exchange, engine: Engine): Promise<Reply> {
  await engine.undeploy(functionId, parsePrecondition(request.headers['if-match'], undefined));
  return { status: 200, body: { function_id: functionId, status: 'deleted' } };
}

export async function warm(functionId: string, engine: Engine): Promise<Reply> {
  const instances = await engine.warm(functionId);
  return { status: 200, body: { function_id: functionId, status: 'warm', instances_warmed: instances } };
}

export async function health(functionId: string, engine: Engine): Promise<Reply> {
  const { healthy, lastInvocation, totalInvocations } = await engine.health(functionId);
  const body = {
    function_id: functionId,
    status: healthy ? 'healthy' : 'unhealthy',
    ...(lastInvocation !== undefined && { last_invocation: lastInvocation }),
    total_invocations: totalInvocations,
  };
  if (healthy) return { status: 200, body };
  const error = new PlatformError(
    'UNAVAILABLE',
    `Function ${functionId} cannot be called now. Deploy it again.`,
    { retryAfterSecs: 1 },
  );
  return errorReply(error, body);
}

function recordReply(record: FunctionRecord, baseUrl: string): Reply {
  return { status: 200, body: toJson(record, baseUrl), headers: { ETag: `"${etagOf(record)}"` } };
}

/** `cold_start_ms` is absent: a deploy runs nothing, so there is nothing measured to report. */
function toJson(record: FunctionRecord, baseUrl: string): object {
  return {
    function_id: record.functionId,
    endpoint: `${baseUrl}/api/functions/${record.functionId}/invoke`,
    status: 'deployed',
    memory_mb: record.config.memoryMb,
    timeout_secs: record.config.timeoutSecs,
    max_concurrency: record.config.maxConcurrency,
    deployed_at: record.deployedAt,
    binary_size_bytes: record.zipBytes,
    sha256: record.sha256,
    etag: etagOf(record),
  };
}
