/** A reply to a call -> result, metadata and figures, in either encoding. */
import type { Executed } from '../../core/errors.js';
import type { CallMetrics, JobCall, JobResult, Metadata } from '../../core/job.js';
import { decodeMetadata, figureOf, OCTETS, stringsOf } from '../shared/call-headers.js';
import type { HttpReply } from '../shared/http.js';
import type { Place } from '../shared/transport-error.js';
import { bodyError, protocolError, type Redact, replyError, requestId } from './errors.js';
import { decodeReply } from './wire.js';

type Fields = Readonly<Record<string, unknown>>;

/** @throws {FaasError} for a failure, or a success that makes no sense. */
export function readResult(
  reply: HttpReply,
  call: JobCall,
  place: Place,
  redact: Redact,
  startedMs: number,
): JobResult {
  if (reply.status < 200 || reply.status > 299) throw replyError(reply, place, redact);
  // Only who accepts raw bytes is sent any, so a platform of spec 1.0 that says so means its JSON.
  if (isBinary(reply)) return readBinary(reply, call, place, startedMs);
  const decoded = decodeReply(reply.body);
  if (decoded === undefined)
    throw protocolError(
      reply,
      executedBy(reply, {}, call),
      'answered with something that is no JSON object',
      place,
    );
  const { fields, result } = decoded;
  checkJob(fields['job_id'], reply, call, place);
  if (fields['success'] === false) throw bodyError(reply, fields, place, redact);
  if (result === undefined) {
    throw protocolError(
      reply,
      executedBy(reply, fields, call),
      'answered without a `result` of integers from 0 to 255',
      place,
    );
  }
  return toResult(result, fields, call, reply, startedMs);
}

/**
 * Did the function run, where a 2xx holds no result? Only if the platform shows that it answered this call: a portal
 * or a proxy in between answers 200 too, and who answers 202 has not run it yet.
 */
function executedBy({ status, headers }: HttpReply, fields: Fields, { jobId }: JobCall): Executed {
  if (status === 202) return 'maybe';
  const isAnswer = fields['job_id'] === jobId || fields['success'] === true;
  return isAnswer || Object.keys(headers).some((name) => name.startsWith('x-faas-')) ? 'yes' : 'maybe';
}

/** A 2xx whose body is the result itself. */
function readBinary(reply: HttpReply, call: JobCall, place: Place, startedMs: number): JobResult {
  const { headers, body } = reply;
  const jobId = headers['x-faas-job-id'];
  checkJob(jobId === undefined ? undefined : Number(jobId), reply, call, place);
  const result = new Uint8Array(body.buffer, body.byteOffset, body.length);
  return toResult(result, headerFields(headers), call, reply, startedMs);
}

function isBinary({ headers }: HttpReply): boolean {
  return headers['content-type'] === OCTETS && headers['x-faas-job-id'] !== undefined;
}

/** @param fields of the reply or, for an asynchronous call, of its record */
export function toResult(
  result: Uint8Array,
  fields: Fields,
  call: JobCall,
  reply: HttpReply,
  startedMs: number,
): JobResult {
  return {
    result,
    metadata: mergeMetadata(call.metadata, fields['metadata']),
    metrics: metrics(fields, reply, startedMs),
  };
}

function checkJob(echo: unknown, reply: HttpReply, call: JobCall, place: Place): void {
  if (echo === undefined || echo === call.jobId) return;
  // The answer of another call: whether this one ran, nobody can tell.
  throw protocolError(reply, 'maybe', 'answered for another job', place);
}

/** The fields of a JSON reply as they stand in headers. */
function headerFields(headers: HttpReply['headers']): Fields {
  const coldStart = headers['x-faas-cold-start'];
  return {
    execution_ms: figureOf(headers['x-faas-execution-ms']),
    memory_used_mb: figureOf(headers['x-faas-memory-used-mb']),
    cold_start: coldStart === 'true' ? true : coldStart === 'false' ? false : undefined,
    metadata: decodeMetadata(headers['x-faas-metadata']),
  };
}

/** What was sent, overlaid with what came back. */
function mergeMetadata(sent: Metadata, returned: unknown): Metadata {
  return { ...sent, ...stringsOf(returned) };
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Only what the platform reported and what can be true. */
function metrics(fields: Fields, reply: HttpReply, startedMs: number): CallMetrics {
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
