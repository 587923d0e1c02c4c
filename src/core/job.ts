/** What travels to a function and back: ids, calls, results. Data only. */
import { FaasError } from './errors.js';

/** An unsigned 32-bit integer, the wire type of the custom-FaaS spec. */
export type JobId = number;

/** Small strings that travel with a call through the FaaS and come back on its result. */
export type Metadata = Readonly<Record<string, string>>;

/** One attempt of one logical call, as an executor sees it: bytes and facts, no types. */
export interface JobCall {
  readonly jobId: JobId;
  /** The encoded input. */
  readonly args: Uint8Array;
  /** Names one logical call; the same over all its attempts. */
  readonly callId: string;
  /** 1 for the first request on the wire, then 2, 3, … */
  readonly attempt: number;
  /** Epoch milliseconds after which nobody waits for the answer; `Infinity` for none. */
  readonly deadline: number;
  /** True when running the job twice does no harm, so that a doubtful failure may be retried. */
  readonly idempotent: boolean;
  /** Travels to the function and comes back on the result. */
  readonly metadata: Metadata;
}

/** What a function answered. */
export interface JobResult {
  /** The encoded output. */
  readonly result: Uint8Array;
  /** The call's metadata, with what the function added. */
  readonly metadata: Metadata;
  /** What this attempt took. */
  readonly metrics: CallMetrics;
}

/** Figures of one attempt. A figure without evidence from the provider is absent, never guessed. */
export interface CallMetrics {
  /** Wall-clock milliseconds the caller waited for this attempt. */
  readonly totalMs: number;
  /** Milliseconds the handler ran, by the provider's clock. */
  readonly executionMs?: number;
  /** Milliseconds the provider charges for. */
  readonly billedMs?: number;
  /** Milliseconds spent to start the instance, when this call paid for it. */
  readonly initMs?: number;
  /** Peak memory of the instance in MiB. */
  readonly memoryUsedMb?: number;
  /** True when this call started a new instance. */
  readonly coldStart?: boolean;
  /** The provider's own id of the request, to find it in the provider's logs. */
  readonly requestId?: string;
  /** Who answered, where several executors stand behind one. */
  readonly provider?: string;
}

const MAX_JOB_ID = 0xffff_ffff;

/**
 * Returns `id` when it is an unsigned 32-bit integer.
 * @throws {FaasError} CONFIG otherwise. Ids are refused, never truncated.
 */
export function checkJobId(id: unknown): JobId {
  if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id <= MAX_JOB_ID && !Object.is(id, -0)) {
    return id;
  }
  throw new FaasError({
    code: 'CONFIG',
    executed: 'no',
    message: `Job id ${describe(id)} is not valid: use an integer from 0 to ${MAX_JOB_ID}.`,
  });
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80));
  return typeof value === 'object' && value !== null ? 'of type object' : String(value);
}

/** A copy of `call` for the next attempt. Lazy fields of the original stay lazy. */
export function nextAttempt(call: JobCall, attempt: number): JobCall {
  return Object.create(call, { attempt: { value: attempt, enumerable: true } });
}
