/** Repeats requests of a control plane: nothing there runs a function, so throttles and outages are waited out. */
import { FaasError } from '../../core/errors.js';
import { retryDelayMs } from '../../core/retry-policy.js';
import { type CallScope, sleep } from '../../core/scope.js';

const RETRIES = { attempts: 6, minDelayMs: 200, maxDelayMs: 10_000, functionErrors: false };

/**
 * Runs `work` until it does not fail with THROTTLED or UNAVAILABLE: six times at most, and as long as the scope lasts
 * while the server names the time to come back. It is never asked before that time.
 * @param minDelayMs before the second try; doubled for each that follows
 * @throws what the last try failed with, at once when the server asks for more time than is left; or why the scope
 * was cancelled
 */
export async function untilItWorks<Output>(
  scope: CallScope,
  work: () => Promise<Output>,
  minDelayMs = RETRIES.minDelayMs,
): Promise<Output> {
  const { default: pRetry } = await import('p-retry');
  const policy = { ...RETRIES, minDelayMs };
  return pRetry(work, {
    retries: RETRIES.attempts - 1,
    minTimeout: 0,
    shouldRetry: ({ error }) => isTransient(error),
    // A server that says when to come back is at work: keeping to it proves no outage.
    shouldConsumeRetry: ({ error }) => !(isTransient(error) && askedDelayMs(error) > 0),
    onFailedAttempt: async ({ error, retriesConsumed, retriesLeft }) => {
      if (!isTransient(error) || retriesLeft === 0) return;
      const askedMs = askedDelayMs(error);
      const leftMs = scope.deadline - Date.now();
      if (askedMs >= leftMs) throw tooLate(error, askedMs, leftMs);
      // The wait is ours, not p-retry's: it follows Retry-After and ends with the scope.
      await sleep(askedMs + retryDelayMs(policy, retriesConsumed + 2, undefined, Math.random), scope);
    },
  });
}

export function isTransient(error: unknown): error is FaasError {
  return FaasError.is(error) && (error.code === 'THROTTLED' || error.code === 'UNAVAILABLE');
}

/** What Retry-After says; 0 without it. */
function askedDelayMs(error: FaasError): number {
  return error.retryAfterMs ?? 0;
}

function tooLate(error: FaasError, askedMs: number, leftMs: number): FaasError {
  const secs = (ms: number) => Math.max(0, Math.round(ms / 1000));
  const message = `${error.message} It asks to come back in ${secs(askedMs)} s, and this work has ${secs(leftMs)} s left. Try again later.`;
  return error.with({ message });
}
