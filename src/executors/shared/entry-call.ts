/** The client's side of an HTTP entry: one call -> headers, and the entry's reply -> result or FaasError. */
import {
  type Executed,
  FaasError,
  type FaasErrorCode,
  isFaasErrorCode,
  type RemoteError,
} from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import type { JobCall, JobResult } from '../../core/job.js';
import {
  CALL_ID,
  decodeMetadata,
  encodeMetadata,
  figureOf,
  MAX_METADATA_HEADER_BYTES,
  OCTETS,
} from './call-headers.js';
import type { HttpReply } from './http.js';
import type { Place } from './transport-error.js';

/**
 * Names and values in turn; the body is `call.args` as it is.
 * @throws {FaasError} `executed: no` for a call that cannot be sent
 */
export function entryHeaders(call: JobCall, context: Pick<CallContext, 'deadline'>, place: Place): string[] {
  if (!CALL_ID.test(call.callId)) {
    throw refuse(place, 'INVALID_REQUEST', 'the call id must have 1 to 128 characters of [A-Za-z0-9._:-]');
  }
  const headers = [
    'content-type',
    OCTETS,
    'x-faas-job-id',
    String(call.jobId),
    'x-faas-call-id',
    call.callId,
    'x-faas-attempt',
    String(call.attempt),
  ];
  const deadline = Math.min(call.deadline, context.deadline);
  if (deadline !== Infinity) {
    const remainingMs = Math.ceil(deadline - Date.now());
    if (remainingMs <= 0) throw refuse(place, 'TIMEOUT', 'the deadline passed before the request was sent');
    headers.push('x-faas-timeout-ms', String(remainingMs));
  }
  for (const _ in call.metadata) {
    headers.push('x-faas-metadata', metadataHeader(call, place));
    break;
  }
  return headers;
}

/** A ping that the entry answers after `holdMs` without running a job. */
export function warmHeaders(holdMs: number): string[] {
  return ['content-type', OCTETS, 'x-faas-warm', String(holdMs)];
}

/** False for what a gateway or the cloud itself answered. */
export function isFromEntry({ headers }: HttpReply): boolean {
  return headers['x-faas-entry'] === '1';
}

/** Tells instances apart; undefined when the reply is not from an entry. */
export function instanceOf({ headers }: HttpReply): string | undefined {
  const instance = headers['x-faas-instance'];
  return typeof instance === 'string' ? instance : undefined;
}

/**
 * Reads a reply for which `isFromEntry` holds.
 * @param startedMs by `performance.now()`
 * @throws {FaasError} what the entry reports, or PROTOCOL for an answer to another call
 */
export function readEntryReply(reply: HttpReply, call: JobCall, place: Place, startedMs: number): JobResult {
  if (reply.status !== 200) throw entryError(reply, place);
  const { headers, body } = reply;
  if (figureOf(headers['x-faas-job-id']) !== call.jobId) throw otherJob(reply, place);
  const executionMs = figureOf(headers['x-faas-execution-ms']);
  const coldStart = headers['x-faas-cold-start'];
  return {
    result: new Uint8Array(body.buffer, body.byteOffset, body.length),
    metadata: { ...call.metadata, ...decodeMetadata(headers['x-faas-metadata']) },
    metrics: {
      totalMs: performance.now() - startedMs,
      ...(executionMs !== undefined && { executionMs }),
      ...((coldStart === 'true' || coldStart === 'false') && { coldStart: coldStart === 'true' }),
    },
  };
}

type Fields = Readonly<Record<string, unknown>>;

const MAX_TEXT = 2000;
const MAX_STACK = 8000;

function entryError(reply: HttpReply, place: Place): FaasError {
  const { provider, functionName } = place;
  const fields = parse(reply.body);
  const code: FaasErrorCode = isFaasErrorCode(fields['code']) ? fields['code'] : 'FUNCTION_ERROR';
  const remote = remoteOf(fields['details']);
  const said = text(fields['error'], MAX_TEXT) ?? 'The function gave no reason.';
  const message =
    code === 'FUNCTION_ERROR'
      ? `${functionName} failed on ${provider}: ${remote === undefined ? said : `${remote.name}: ${remote.message}`}`
      : `${functionName} did not do its work on ${provider}: ${said}`;
  const executed = isExecuted(fields['executed']) ? fields['executed'] : 'yes';
  return new FaasError({ code, executed, provider, functionName, message, status: reply.status, remote });
}

function otherJob({ status }: HttpReply, { provider, functionName }: Place): FaasError {
  // The answer of another call: whether this one ran, nobody can tell.
  const message = `${functionName} answered for another job on ${provider}.`;
  return new FaasError({ code: 'PROTOCOL', executed: 'maybe', provider, functionName, message, status });
}

function remoteOf(details: unknown): RemoteError | undefined {
  if (typeof details !== 'object' || details === null) return undefined;
  const fields = details as Fields;
  const name = text(fields['name'], 200) ?? 'Error';
  const message = text(fields['message'], MAX_TEXT) ?? '';
  const stack = text(fields['stack'], MAX_STACK);
  return stack === undefined ? { name, message } : { name, message, stack };
}

function metadataHeader({ metadata }: JobCall, place: Place): string {
  const value = encodeMetadata(metadata);
  if (value.length <= MAX_METADATA_HEADER_BYTES) return value;
  const why = `the metadata takes ${value.length} bytes as a header, the limit is ${MAX_METADATA_HEADER_BYTES}: put data into the input`;
  throw refuse(place, 'PAYLOAD_TOO_LARGE', why);
}

/** The error of a call that was not sent. */
function refuse(place: Place, code: FaasErrorCode, why: string): FaasError {
  const { provider, functionName } = place;
  const message = `${functionName} was not called on ${provider}: ${why}.`;
  return new FaasError({ code, executed: 'no', provider, functionName, message });
}

function parse(body: Buffer): Fields {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Fields) : {};
  } catch {
    return {};
  }
}

function isExecuted(value: unknown): value is Executed {
  return value === 'no' || value === 'maybe' || value === 'yes';
}

function text(value: unknown, maxLength: number): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  return value.length > maxLength ? `${value.slice(0, maxLength)}…` : value;
}
