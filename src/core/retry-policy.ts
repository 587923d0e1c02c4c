/** When a failure may be retried and how long to wait: decisions on facts. The retry layer acts on them. */
import type { FaasError, FaasErrorCode } from './errors.js';

export interface RetryPolicy {
  /** Requests on the wire per call, the first included. Default 3. */
  readonly attempts: number;
  /** Longest wait before the second attempt; doubles for each further one. Default 100. */
  readonly minDelayMs: number;
  /** Upper bound of one wait. A longer Retry-After is a reason to give up. Default 20 000. */
  readonly maxDelayMs: number;
  /** Also retry when the handler itself failed: the job says that running it again helps. Default false. */
  readonly functionErrors: boolean;
}

export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  attempts: 3,
  minDelayMs: 100,
  maxDelayMs: 20_000,
  functionErrors: false,
};

/** Failures that another attempt can cure; every other code says that the next attempt would fail alike. */
const TRANSIENT: ReadonlySet<FaasErrorCode> = new Set([
  'THROTTLED',
  'UNAVAILABLE',
  'TIMEOUT',
  'PROTOCOL',
  'CONFLICT',
]);

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
  policy: RetryPolicy,
  attempt: number,
  retryAfterMs: number | undefined,
  random: () => number,
): number {
  const boundMs = Math.min(policy.maxDelayMs, policy.minDelayMs * 2 ** (attempt - 2));
  const jitteredMs = random() * boundMs;
  return retryAfterMs === undefined ? jitteredMs : Math.min(policy.maxDelayMs, retryAfterMs) + jitteredMs;
}

/**
 * A token bucket shared by many calls: each call pays in a tenth of a retry, each retry takes one out. In a full
 * outage a client then sends at most 1.1 times its calls instead of `attempts` times.
 */
export class RetryBudget {
  readonly #capacity: number;
  readonly #ratio: number;
  #tokens: number;

  /**
   * @param options.ratio retries per call in the long run, default 0.1
   * @param options.reserve retries at hand before any call was made, default 10: a quiet client may retry too
   */
  constructor(options: { ratio?: number; reserve?: number } = {}) {
    this.#ratio = options.ratio ?? 0.1;
    this.#capacity = options.reserve ?? 10;
    this.#tokens = this.#capacity;
  }

  /** Retries that could be made now. */
  get available(): number {
    return Math.floor(this.#tokens);
  }

  deposit(): void {
    if (this.#tokens < this.#capacity) this.#tokens = Math.min(this.#capacity, this.#tokens + this.#ratio);
  }

  withdraw(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
