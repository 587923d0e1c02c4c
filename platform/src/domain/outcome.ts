/** How a call ended, in a form that can be stored and told again word for word. */

import { createHash } from 'node:crypto';

import type { CallReply } from './call.js';
import { type ErrorCode, PlatformError } from './errors.js';

export type CallOutcome =
  | { readonly ok: true; readonly reply: CallReply }
  | { readonly ok: false; readonly error: PlatformError };

/** The columns an outcome takes up. */
export interface StoredOutcome {
  readonly outcome: string;
  readonly result: Uint8Array | null;
}

/** Ends of an execution that the same call would not change by being asked again. */
const FINAL_CODES: ReadonlySet<ErrorCode> = new Set([
  'FUNCTION_ERROR',
  'TIMEOUT',
  'OUT_OF_MEMORY',
  'BAD_OUTPUT',
  'OUTPUT_TOO_LARGE',
]);

/** Did the function run to an end of its own or of its limits? Only such outcomes are kept under a key. */
export function isFinal(outcome: CallOutcome): boolean {
  return outcome.ok || (outcome.error.executed === 'yes' && FINAL_CODES.has(outcome.error.code));
}

/** Waits for a call and takes its failure as an outcome. @throws what is no PlatformError */
export async function outcomeOf(call: Promise<CallReply>): Promise<CallOutcome> {
  try {
    return { ok: true, reply: await call };
  } catch (error) {
    if (error instanceof PlatformError) return { ok: false, error };
    throw error;
  }
}

export function encodeOutcome(outcome: CallOutcome): StoredOutcome {
  if (outcome.ok) {
    const { result, ...figures } = outcome.reply;
    return { outcome: JSON.stringify({ ok: true, ...figures }), result };
  }
  const { code, message, executed, details, result, retryAfterSecs } = outcome.error;
  return {
    outcome: JSON.stringify({ ok: false, code, message, facts: { executed, details, retryAfterSecs } }),
    result: result ?? null,
  };
}

/** What a stored outcome takes up. */
export function bytesOf({ outcome, result }: StoredOutcome): number {
  return Buffer.byteLength(outcome) + (result?.length ?? 0);
}

export function decodeOutcome(stored: StoredOutcome): CallOutcome {
  const value = JSON.parse(stored.outcome) as
    | ({ readonly ok: true } & Omit<CallReply, 'result'>)
    | { readonly ok: false; readonly code: ErrorCode; readonly message: string; readonly facts: object };
  if (value.ok) {
    const { ok: _, ...figures } = value;
    return { ok: true, reply: { ...figures, result: stored.result ?? new Uint8Array(0) } };
  }
  const result = stored.result === null ? {} : { result: stored.result };
  return { ok: false, error: new PlatformError(value.code, value.message, { ...value.facts, ...result }) };
}

/** What makes two calls the same: the function, the job and the bytes. */
export function contentOf(functionId: string, jobId: number, args: Uint8Array): string {
  return createHash('sha256').update(`${functionId}\n${jobId}\n`).update(args).digest('hex');
}
