/** The data plane: one call, one request, facts on failure. This is the hot path. */
import { FaasError } from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import type { CallMetrics, JobCall, JobResult, Metadata } from '../../core/job.js';
import type { HttpReply } from '../shared/http.js';
import type { PlatformClient } from './client.js';
import { bodyError, protocolError, replyError, requestId } from './errors.js';
import { PROVIDER } from './options.js';
import type { Route, Routes } from './routes.js';
import { decodeReply, encodeCall, isObject } from './wire.js';

/** @throws {FaasError} always, with `executed` telling the truth about this attempt. */
export async function invoke(
  client: PlatformClient,
  routes: Routes,
  call: JobCall,
  context: CallContext,
  maxPayloadBytes = Infinity,
): Promise<JobResult> {
  const startedMs = performance.now();
  const route = routes.of(call.jobId);
  if (call.args.length > maxPayloadBytes) {
    throw refuse(
      route,
      'PAYLOAD_TOO_LARGE',
      `the input has ${call.args.length} bytes, the limit is ${maxPayloadBytes}`,
    );
  }
  const message = {
    method: 'POST' as const,
    path: route.invokePath,
    headers: callHeaders(route, call, context),
    body: encodeCall(call.jobId, call.args),
  };
  const reply = await client.send(route.calls, message, context);
  return readReply(client, route, call, reply, startedMs);
}

function readReply(
  client: PlatformClient,
  route: Route,
  call: JobCall,
  reply: HttpReply,
  startedMs: number,
): JobResult {
  const { place } = route.calls;
  if (reply.status < 200 || reply.status > 299) throw replyError(reply, place, client.redact);
  const decoded = decodeReply(reply.body);
  if (decoded === undefined)
    throw protocolError(reply, 'yes', 'answered with something that is no JSON object', place);
  const { fields, result } = decoded;
  const echo = fields['job_id'];
  if (echo !== undefined && echo !== call.jobId) {
    // The answer of another call: whether this one ran, nobody can tell.
    throw protocolError(reply, 'maybe', 'answered for another job', place);
  }
  if (fields['success'] === false) throw bodyError(reply, fields, place, client.redact);
  if (result === undefined) {
    throw protocolError(reply, 'yes', 'answered without a `result` of integers from 0 to 255', place);
  }
  return {
    result,
    metadata: mergeMetadata(call.metadata, fields['metadata']),
    metrics: metrics(fields, reply, startedMs),
  };
}

const CALL_ID = /^[A-Za-z0-9._:-]{1,128}$/;
/** Node's servers take 16 KiB of headers in all. */
const MAX_METADATA_HEADER_BYTES = 8192;

function callHeaders(route: Route, call: JobCall, context: CallContext): string[] {
  const { callId } = call;
  if (!CALL_ID.test(callId)) {
    throw refuse(route, 'INVALID_REQUEST', 'the call id must have 1 to 128 characters of [A-Za-z0-9._:-]');
  }
  const headers = [
    'content-type',
    'application/json',
    'x-faas-call-id',
    callId,
    'x-faas-attempt',
    String(call.attempt),
  ];
  const deadline = Math.min(call.deadline, context.deadline);
  if (deadline !== Infinity) {
    const remainingMs = Math.ceil(deadline - Date.now());
    if (remainingMs <= 0) throw refuse(route, 'TIMEOUT', 'the deadline passed before the request was sent');
    headers.push('x-faas-timeout-ms', String(remainingMs));
  }
  for (const _ in call.metadata) {
    headers.push('x-faas-metadata', metadataHeader(route, call.metadata));
    break;
  }
  return headers;
}

function metadataHeader(route: Route, metadata: Metadata): string {
  const value = Buffer.from(JSON.stringify(metadata)).toString('base64url');
  if (value.length <= MAX_METADATA_HEADER_BYTES) return value;
  throw refuse(
    route,
    'PAYLOAD_TOO_LARGE',
    `the metadata takes ${value.length} bytes as a header, the limit is ${MAX_METADATA_HEADER_BYTES}: put data into the input`,
  );
}

/** What was sent, overlaid with what came back. Values that are no strings are dropped. */
function mergeMetadata(sent: Metadata, returned: unknown): Metadata {
  if (!isObject(returned)) return sent;
  const strings = Object.entries(returned).filter(([, value]) => typeof value === 'string');
  return { ...sent, ...(Object.fromEntries(strings) as Metadata) };
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Only what the platform reported and what can be true. */
function metrics(
  fields: Readonly<Record<string, unknown>>,
  reply: HttpReply,
  startedMs: number,
): CallMetrics {
  const figures: Mutable<CallMetrics> = { totalMs: performance.now() - startedMs };
  const executionMs = fields['execution_ms'];
  if (typeof executionMs === 'number' && executionMs >= 0) figures.executionMs = executionMs;
  const memoryUsedMb = fields['memory_used_mb'];
  if (typeof memoryUsedMb === 'number' && memoryUsedMb > 0) figures.memoryUsedMb = memoryUsedMb;
  const coldStart = fields['cold_start'];
  if (typeof coldStart === 'boolean') figures.coldStart = coldStart;
  const id = requestId(reply);
  if (id !== undefined) figures.requestId = id;
  return figures;
}

/** The error of a call that was not sent. */
function refuse(
  route: Route,
  code: 'PAYLOAD_TOO_LARGE' | 'INVALID_REQUEST' | 'TIMEOUT',
  why: string,
): FaasError {
  const { functionName } = route;
  const message = `${functionName} was not called on ${PROVIDER}: ${why}.`;
  return new FaasError({ code, executed: 'no', provider: PROVIDER, functionName, message });
}
