/** When a failure may be retried and how long to wait: decisions on facts. The retry layer acts on them. */
import { FaasError, type FaasErrorCode } from './errors.js';

/** How the retry layer acts: a job's `retry`, or `.retry()` for all jobs of a runner. */
export interface RetryPolicy {
  /** Requests on the wire per call, the first included. Default 3. */
  readonly attempts: number;
  /** Longest wait before the second attempt; doubles for each further one. Default 100. */
  readonly minDelayMs: number;
  /** Upper bound of one wait. A longer Retry-After of the provider is a reason to give up. Default 20 000. */
  readonly maxDelayMs: number;
  /** Also retry when the handler itself failed: the job says that running it again helps. Default false. */
  readonly functionErrors: boolean;
  /**
   * Wait, until the call's deadline, for a layer further in that sends nothing now and says for how long: an open
   * circuit. Nothing goes on the wire meanwhile, so it costs no attempt and no budget. The call keeps its place among
   * those in flight, and that is how a runner slows down. `false`: such a call fails at once. Default true; false in
   * a runner for jobs with `localFallback`, which have a better place to go.
   */
  readonly waitWhenRejected: boolean;
}

/** What holds where nobody says anything else. */
export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  attempts: 3,
  minDelayMs: 100,
  maxDelayMs: 20_000,
  functionErrors: false,
  waitWhenRejected: true,
};

/** Failures that another attempt can cure; every other code says that the next attempt would fail alike. */
const TRANSIENT: ReadonlySet<FaasErrorCode> = new Set([
  'THROTTLED',
  'UNAVAILABLE',
  'TIMEOUT',
  'PROTOCOL',
  'CONFLICT',
]);

/** A layer further in did not send the call: nothing went on the wire. */
export function wasRefused(error: FaasError): boolean {
  return error.code === 'REJECTED' && error.executed === 'no';
}

/**
 * Does another attempt cost budget? Not after the provider's own flow control: it asked for this one, later, and
 * refusing costs it next to nothing.
 */
export function costsBudget(error: FaasError): boolean {
  return error.code !== 'THROTTLED' || error.executed !== 'no';
}

/** May the call be attempted again? An error that carries `attempts` was retried further in and is left alone. */
export function mayRetry(error: FaasError, idempotent: boolean, functionErrors: boolean): boolean {
  return error.attempts === undefined && isCurable(error, idempotent, functionErrors);
}

/**
 * Could another attempt end better, and is it allowed? After `no` it is; after `maybe` only when running twice
 * does no harm; after `yes` only when the job asks for it.
 */
export function isCurable(error: FaasError, idempotent: boolean, functionErrors: boolean): boolean {
  switch (error.executed) {
    case 'no':
      return TRANSIENT.has(error.code);
    case 'maybe':
      return idempotent && TRANSIENT.has(error.code);
    case 'yes':
      if (error.code === 'FUNCTION_ERROR') return functionErrors;
      return idempotent && TRANSIENT.has(error.code);
  }
}

/**
 * Milliseconds before attempt `attempt` (2 for the first retry): full jitter over an exponential bound, so that
 * many callers do not come back together; never before the provider's own Retry-After.
 */
export function retryDelayMs(
  policy: Pick<RetryPolicy, 'minDelayMs' | 'maxDelayMs'>,
  attempt: number,
  retryAfterMs: number | undefined,
  random: () => number,
): number {
  const boundMs = Math.min(policy.maxDelayMs, policy.minDelayMs * 2 ** (attempt - 2));
  const jitteredMs = random() * boundMs;
  return retryAfterMs === undefined ? jitteredMs : Math.min(policy.maxDelayMs, retryAfterMs) + jitteredMs;
}

/** How much is retried in the long run; see docs/errors.md. */
export interface RetryBudgetOptions {
  /** Retries per call in the long run. Default 0.1. */
  readonly ratio?: number;
  /** Retries at hand before any call was made, and the most that are ever saved up. Default 10. */
  readonly reserve?: number;
}

/**
 * A token bucket shared by many calls: each call pays in a tenth of a retry, each retry takes one out. In a full
 * outage a client then sends at most 1.1 times its calls instead of `attempts` times. Retries after THROTTLED that
 * certainly did not run take nothing out: the provider paces them itself.
 */
export class RetryBudget {
  readonly #capacity: number;
  readonly #ratio: number;
  #tokens: number;

  /** @throws {FaasError} CONFIG for a ratio below 0 or a reserve below 1, with which nothing would ever be retried. */
  constructor(options: RetryBudgetOptions = {}) {
    this.#ratio = options.ratio ?? 0.1;
    this.#capacity = options.reserve ?? 10;
    this.#tokens = this.#capacity;
    if (this.#ratio >= 0 && this.#capacity >= 1) return;
    throw new FaasError({
      code: 'CONFIG',
      executed: 'no',
      message: `A retry budget needs a ratio of 0 or more and a reserve of 1 or more, not ${this.#ratio} and ${this.#capacity}. To switch retries off, say retry: false.`,
    });
  }

  /** Retries that could be made now. */
  get available(): number {
    return Math.floor(this.#tokens);
  }

  /** A call is made: it pays in its share. */
  deposit(): void {
    if (this.#tokens < this.#capacity) this.#tokens = Math.min(this.#capacity, this.#tokens + this.#ratio);
  }

  /** Takes one retry out; false when there is none, and then it must not be made. */
  withdraw(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
