/** What every layer does the same way: it is its inner invoker, but for `invoke`. */
import { type Executed, FaasError, type FaasErrorCode } from '../core/errors.js';
import type { CallContext, FaasInvoker } from '../core/executor.js';
import type { JobCall, JobResult } from '../core/job.js';
import { warnOf } from '../core/warning.js';

/** An invoker with the provider, limits and `close` of `inner` and another `invoke`. */
export function wrap(inner: FaasInvoker, invoke: FaasInvoker['invoke']): FaasInvoker {
  return {
    get provider() {
      return inner.provider;
    },
    get limits() {
      return inner.limits;
    },
    invoke,
    async close() {
      await inner.close?.();
    },
  };
}

/**
 * For layers that are no async functions: an invoker written by hand may throw where it should reject, and a throw
 * would pass by everything the layer hangs on the promise.
 */
export function invokeSafely(inner: FaasInvoker, call: JobCall, context: CallContext): Promise<JobResult> {
  try {
    return inner.invoke(call, context);
  } catch (thrown) {
    return Promise.reject(thrown);
  }
}

/** Tells a listener of the user's. What it throws is a warning: the layer is in the middle of its work. */
export function tell<Event>(
  name: string,
  listener: ((event: Event) => void) | undefined,
  event: Event,
): void {
  try {
    listener?.(event);
  } catch (thrown) {
    warnOf(`The ${name} listener of a layer`, thrown);
  }
}

/** Refuses an option that is out of range when the layer is made, not at the first call. */
export function checkOption(layer: string, name: string, value: number, rule: 'above 0' | '0 or more'): void {
  if (rule === 'above 0' ? value > 0 : value >= 0) return;
  throw configError(`${layer}: ${name} must be a number ${rule}, not ${value}.`);
}

export function checkCount(layer: string, name: string, value: number, least: number): void {
  if ((Number.isInteger(value) || value === Infinity) && value >= least) return;
  throw configError(`${layer}: ${name} must be an integer of at least ${least}, not ${value}.`);
}

export function configError(message: string): FaasError {
  return new FaasError({ code: 'CONFIG', executed: 'no', message });
}

/** A FaasError of this code, or undefined for everything else that was thrown. */
export function hasCode(error: unknown, codes: ReadonlySet<FaasErrorCode>): error is FaasError {
  return FaasError.is(error) && codes.has(error.code);
}

const CERTAINTY: Record<Executed, number> = { no: 0, maybe: 1, yes: 2 };

/**
 * Did the call run when several attempts were made? It certainly did not only when none did: an error that says
 * `no` for the last attempt alone would let a caller run the job a second time elsewhere.
 */
export function executedOverall(one: Executed, other: Executed): Executed {
  return CERTAINTY[one] >= CERTAINTY[other] ? one : other;
}
