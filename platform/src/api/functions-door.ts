/** The door of the custom-FaaS specification 1.0: turns requests into the engine's words and its answers into JSON. */

import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';

import { encodeObjectWithBytes } from '../domain/byte-array-json.js';
import { PlatformError } from '../domain/errors.js';
import { parseConfigHeader } from '../domain/function-config.js';
import type { FunctionRecord } from '../domain/function-record.js';
import type { Engine } from '../engine.js';
import { isStoreFull } from '../store/function-store.js';
import { readBody, requireMediaType, saveBody } from './body.js';
import { parseCallBody, parseCallHeaders } from './call-request.js';
import { errorReply, type Reply } from './reply.js';
import type { Route } from './routes.js';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  /** The checked Host header. */
  readonly host: string;
}

export interface DoorParts {
  readonly engine: Engine;
  readonly version: string;
  /** Where uploads are put while they arrive. */
  readonly incomingFolder: string;
}

/** @throws PlatformError */
export async function answer(route: Route, exchange: Exchange, parts: DoorParts): Promise<Reply> {
  const { engine } = parts;
  switch (route.action) {
    case 'capabilities':
      return { status: 200, body: capabilities(engine, parts.version) };
    case 'deploy':
      return deploy(route.functionId, route.query, exchange, parts);
    case 'describe':
      return { status: 200, body: deployment(engine.describe(route.functionId), exchange.host) };
    case 'undeploy':
      await engine.undeploy(route.functionId);
      return { status: 200, body: { function_id: route.functionId, status: 'deleted' } };
    case 'health':
      return health(route.functionId, engine);
    case 'warm':
      return {
        status: 200,
        body: {
          function_id: route.functionId,
          status: 'warm',
          instances_warmed: engine.warm(route.functionId),
        },
      };
    case 'invoke':
      return invoke(route.functionId, exchange, engine);
  }
}

function capabilities(engine: Engine, version: string): object {
  const { limits } = engine;
  return {
    spec: '1.0',
    platform: 'jobferry',
    version,
    isolation: engine.isolation,
    limits: {
      max_request_bytes: limits.maxRequestBytes,
      max_args_bytes: limits.maxArgsBytes,
      max_result_bytes: limits.maxResultBytes,
      max_zip_bytes: limits.maxZipBytes,
      max_unzipped_bytes: limits.maxUnzippedBytes,
      memory_mb: limits.memoryMb,
      timeout_secs: limits.timeoutSecs,
      max_concurrency: limits.maxConcurrency,
    },
    features: ['replace', 'call-id', 'attempt', 'timeout', 'metadata', 'job-route'],
  };
}

async function deploy(
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
  const replace = query.get('replace') === 'true';
  const zipFile = join(parts.incomingFolder, `${randomUUID()}.zip`);
  try {
    const { bytes, sha256 } = await saveBody(request, response, zipFile, engine.limits.maxZipBytes);
    const record = await engine.deploy({ functionId, zipFile, sha256, zipBytes: bytes, config, replace });
    return { status: 200, body: deployment(record, exchange.host) };
  } catch (error) {
    if (!isStoreFull(error)) throw error;
    throw new PlatformError('UNAVAILABLE', 'The disk of the data folder is full; nothing was changed.', {
      retryAfterSecs: 60,
      cause: error,
    });
  } finally {
    await rm(zipFile, { force: true });
  }
}

/** `cold_start_ms` is absent: a deploy runs nothing, so there is nothing measured to report. */
function deployment(record: FunctionRecord, host: string): object {
  return {
    function_id: record.functionId,
    endpoint: `http://${host}/api/functions/${record.functionId}/invoke`,
    status: 'deployed',
    memory_mb: record.config.memoryMb,
    timeout_secs: record.config.timeoutSecs,
    max_concurrency: record.config.maxConcurrency,
    deployed_at: record.deployedAt,
    binary_size_bytes: record.zipBytes,
    sha256: record.sha256,
  };
}

async function health(functionId: string, engine: Engine): Promise<Reply> {
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

async function invoke(functionId: string, exchange: Exchange, engine: Engine): Promise<Reply> {
  const { request, response, requestId } = exchange;
  let jobId: number | undefined;
  try {
    engine.refuseWhenClosing();
    engine.describe(functionId);
    // A page on another site can make a browser post text or forms to us, but not this type.
    requireMediaType(request, ['application/json']);
    const headers = parseCallHeaders(request.headers);
    const body = await readBody(request, response, engine.limits.maxRequestBytes);
    const { args, ...named } = parseCallBody(body, engine.limits.maxArgsBytes);
    jobId = named.jobId;
    const call = { ...headers, jobId, args, callId: headers.callId ?? requestId };
    const reply = await engine.invoke(functionId, requestId, call, (listener) => {
      response.once('close', () => {
        if (!response.writableFinished) listener();
      });
      if (response.destroyed) listener();
    });
    const fields = {
      job_id: jobId,
      success: true,
      execution_ms: Math.round(reply.executionMs),
      ...(reply.peakMemoryBytes !== undefined && {
        memory_used_mb: Math.ceil(reply.peakMemoryBytes / 1024 / 1024),
      }),
      cold_start: reply.coldStart,
      ...(reply.metadata !== undefined && { metadata: reply.metadata }),
    };
    return { status: 200, body: encodeObjectWithBytes(fields, 'result', reply.result) };
  } catch (error) {
    if (error instanceof PlatformError) return failedCall(error, jobId);
    throw error;
  }
}

function failedCall(error: PlatformError, jobId: number | undefined): Reply {
  const known = { ...(jobId !== undefined && { job_id: jobId }), success: false };
  const reply = errorReply(error, known);
  const result = error.result ?? new Uint8Array(0);
  return { ...reply, body: encodeObjectWithBytes(reply.body, 'result', result) };
}
