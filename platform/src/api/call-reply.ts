/** How the end of a call looks on the wire: JSON with a number array, or the raw result with headers. */

import type { IncomingMessage } from 'node:http';

import { encodeObjectWithBytes } from '../domain/byte-array-json.js';
import type { CallReply } from '../domain/call.js';
import type { PlatformError } from '../domain/errors.js';
import type { CallOutcome } from '../domain/outcome.js';
import { errorReply, type Reply } from './reply.js';

const NO_BYTES = new Uint8Array(0);
const BINARY = 'application/octet-stream';
const JSON_TYPE = 'application/json';

export interface AnsweredCall {
  readonly callId: string;
  readonly jobId: number;
}

export interface ReplyForm {
  readonly binary: boolean;
  readonly isReplay: boolean;
}

export function outcomeReply(outcome: CallOutcome, call: AnsweredCall, form: ReplyForm): Reply {
  const reply = outcome.ok
    ? form.binary
      ? binaryReply(outcome.reply, call)
      : jsonReply(outcome.reply, call)
    : failedCall(outcome.error, call);
  return form.isReplay ? { ...reply, headers: { ...reply.headers, 'X-Faas-Replayed': 'true' } } : reply;
}

/** The answer to a call that failed, whatever is known of it by then. */
export function failedCall(error: PlatformError, { jobId, callId }: Partial<AnsweredCall>): Reply {
  const known = {
    ...(jobId !== undefined && { job_id: jobId }),
    ...(callId !== undefined && { call_id: callId }),
    success: false,
  };
  const reply = errorReply(error, known);
  return { ...reply, body: encodeObjectWithBytes(reply.body, 'result', error.result ?? NO_BYTES) };
}

/** What was measured, and what the function said beside its result. */
export function figures(reply: Omit<CallReply, 'result'>): object {
  const memoryMb = memoryUsedMb(reply);
  return {
    execution_ms: Math.round(reply.executionMs),
    ...(memoryMb !== undefined && { memory_used_mb: memoryMb }),
    cold_start: reply.coldStart,
    ...(reply.metadata !== undefined && { metadata: reply.metadata }),
  };
}

/**
 * Does the client like raw bytes better than JSON? Of two equal ones the first named counts.
 * @param otherwise what holds when it names neither
 */
export function wantsBinary(request: IncomingMessage, otherwise = false): boolean {
  const weights = new Map<string, number>();
  for (const part of (request.headers.accept ?? '').toLowerCase().split(',')) {
    const [type = '', ...parameters] = part.split(';').map((text) => text.trim());
    const q = parameters.find((text) => text.startsWith('q='))?.slice(2);
    if (type === BINARY || type === JSON_TYPE) weights.set(type, q === undefined ? 1 : Number(q) || 0);
  }
  const binary = weights.get(BINARY);
  const json = weights.get(JSON_TYPE);
  if (binary === undefined) return json === undefined && otherwise;
  if (json === undefined || json !== binary) return binary > (json ?? 0);
  return binary > 0 && [...weights.keys()][0] === BINARY;
}

function jsonReply(reply: CallReply, { callId, jobId }: AnsweredCall): Reply {
  const fields = { job_id: jobId, call_id: callId, success: true, ...figures(reply) };
  return { status: 200, body: encodeObjectWithBytes(fields, 'result', reply.result) };
}

function binaryReply(reply: CallReply, { callId, jobId }: AnsweredCall): Reply {
  const memoryMb = memoryUsedMb(reply);
  return {
    status: 200,
    body: reply.result,
    headers: {
      'Content-Type': 'application/octet-stream',
      'X-Faas-Job-Id': String(jobId),
      'X-Faas-Call-Id': callId,
      'X-Faas-Execution-Ms': String(Math.round(reply.executionMs)),
      'X-Faas-Cold-Start': String(reply.coldStart),
      ...(memoryMb !== undefined && { 'X-Faas-Memory-Used-Mb': String(memoryMb) }),
      ...(reply.metadata !== undefined && {
        'X-Faas-Metadata': Buffer.from(JSON.stringify(reply.metadata)).toString('base64url'),
      }),
    },
  };
}

function memoryUsedMb({ peakMemoryBytes }: Pick<CallReply, 'peakMemoryBytes'>): number | undefined {
  return peakMemoryBytes === undefined ? undefined : Math.ceil(peakMemoryBytes / 1024 / 1024);
}
