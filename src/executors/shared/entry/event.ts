/**
 * What travels to a function and back where a cloud takes JSON. Bytes go as base64: a JSON array of integers, as the custom-FaaS spec 1.0 has
 * it, is 3.6 times their size, and both ends read that form too. The executor and the entry share this file.
 */
import { encodeByteArray } from '../../../core/byte-array-json.js';
import { FaasError } from '../../../core/errors.js';
import { checkJobId, type JobCall, type Metadata } from '../../../core/job.js';

export type Encoding = 'base64' | 'number-array';

/**
 * The event of a call: `{"job_id","call_id","attempt","deadline_ms"?,"timeout_ms"?,"metadata","args_base64"}`.
 * @param deadline epoch milliseconds by this clock: all that entries before `timeout_ms` read
 * @param timeoutMs what is left of it, for a function that runs at once: our clock and the cloud's may differ by minutes.
 * Default none, for events that wait in a queue, and where both ends have one clock
 */
export function encodeEvent(
  call: JobCall,
  deadline: number,
  encoding: Encoding,
  timeoutMs = Infinity,
): Buffer {
  const { jobId, callId, attempt, metadata, args } = call;
  const deadlineField = deadline === Infinity ? '' : `"deadline_ms":${Math.floor(deadline)},`;
  const timeoutField = timeoutMs === Infinity ? '' : `"timeout_ms":${Math.ceil(timeoutMs)},`;
  const head = `{"job_id":${jobId},"call_id":${JSON.stringify(callId)},"attempt":${attempt},${deadlineField}${timeoutField}"metadata":${JSON.stringify(metadata)},`;
  if (encoding === 'number-array') {
    return Buffer.concat([Buffer.from(`${head}"args":`), encodeByteArray(args), Buffer.from('}')]);
  }
  return Buffer.from(`${head}"args_base64":"${base64(args)}"}`);
}

/**
 * Reads an event.
 * @throws {FaasError} INVALID_REQUEST or CONFIG, with the name of the field which is wrong.
 */
export function decodeEvent(event: unknown, hostDeadline = Infinity): JobCall {
  if (!isObject(event)) throw invalid('The event is not a JSON object.');
  const { call_id: callId, attempt, metadata } = event;
  const args = bytesOf(event, 'args');
  if (args === undefined) throw invalid('The event has no "args_base64" that is base64.');
  return {
    jobId: checkJobId(event['job_id']),
    args,
    callId: typeof callId === 'string' ? callId : '',
    attempt: typeof attempt === 'number' ? attempt : 1,
    deadline: Math.min(deadlineOf(event), hostDeadline),
    idempotent: false,
    metadata: stringsOf(metadata),
  };
}

/** By this clock. */
function deadlineOf({ timeout_ms: timeoutMs, deadline_ms: deadline }: Record<string, unknown>): number {
  if (typeof timeoutMs === 'number') return Date.now() + timeoutMs;
  return typeof deadline === 'number' ? deadline : Infinity;
}

/** What a function answers when the job succeeded. */
export interface SuccessReply {
  readonly success: true;
  readonly result_base64: string;
  readonly metadata: Metadata;
}

export function successReply(result: Uint8Array, metadata: Metadata): SuccessReply {
  return { success: true, result_base64: base64(result), metadata };
}

/** A reply taken apart. */
export type DecodedReply =
  | { readonly kind: 'result'; readonly result: Uint8Array; readonly metadata: Metadata }
  /** `success: false`: a runtime that reports failures as results. */
  | { readonly kind: 'failure'; readonly fields: Readonly<Record<string, unknown>> }
  | { readonly kind: 'nonsense' };

/** A function without a result answers nothing or `null`: no bytes. */
export function decodeReply(body: Buffer): DecodedReply {
  const fields = body.length === 0 ? null : parse(body.toString('utf8'));
  if (fields === null) return { kind: 'result', result: new Uint8Array(0), metadata: {} };
  if (!isObject(fields)) return { kind: 'nonsense' };
  if (fields['success'] === false) return { kind: 'failure', fields };
  const result = bytesOf(fields, 'result');
  if (result === undefined) return { kind: 'nonsense' };
  return { kind: 'result', result, metadata: stringsOf(fields['metadata']) };
}

/** Asks for nothing: the entry answers it without the job. */
export interface WarmEvent {
  readonly jobferry_warm: true;
  /** How long the instance stays taken, so that several pings at once need several instances. */
  readonly hold_ms: number;
}

export function isWarmEvent(event: unknown): event is WarmEvent {
  return isObject(event) && event['jobferry_warm'] === true;
}

function invalid(message: string): FaasError {
  return new FaasError({ code: 'INVALID_REQUEST', executed: 'no', message });
}

/** The bytes under `name_base64`, or under `name` as an array of integers. */
function bytesOf(fields: Readonly<Record<string, unknown>>, name: string): Uint8Array | undefined {
  const text = fields[`${name}_base64`];
  if (typeof text === 'string') return fromBase64(text);
  const array = fields[name];
  const isBytes =
    Array.isArray(array) && array.every((value) => Number.isInteger(value) && value >= 0 && value <= 255);
  return isBytes ? Uint8Array.from(array as number[]) : undefined;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** Undefined for what is no base64: Buffer would leave out the characters it does not know. */
function fromBase64(text: string): Uint8Array | undefined {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array(Buffer.from(text, 'base64'));
  return text.length % 4 === 0 && bytes.length === (text.length / 4) * 3 - padding ? bytes : undefined;
}

/** `undefined` for what is no JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function stringsOf(value: unknown): Metadata {
  if (!isObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter(([, entry]) => typeof entry === 'string'),
  ) as Metadata;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
