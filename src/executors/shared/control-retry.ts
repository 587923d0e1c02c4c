/** Repeats requests of a control plane: nothing there runs a function, so throttles and outages are waited out. */
import { FaasError } from '../../core/errors.js';
import { retryDelayMs } from '../../core/retry-policy.js';
import { type CallScope, sleep } from '../../core/scope.js';

const RETRIES = { attempts: 6, minDelayMs: 200, maxDelayMs: 10_000, functionErrors: false };

/**
 * Runs `work` until it does not fail with THROTTLED or UNAVAILABLE, six times at most, and waits as the server asks.
 * @param minDelayMs before the second try; doubled for each that follows
 * @throws what the last try failed with, or why the scope was cancelled
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
    onFailedAttempt: async ({ error, attemptNumber }) => {
      if (!isTransient(error) || attemptNumber === RETRIES.attempts) return;
      const waitMs = retryDelayMs(policy, attemptNumber + 1, (error as FaasError).retryAfterMs, Math.random);
      // The wait is ours, not p-retry's: it follows Retry-After and ends with the scope.
      await sleep(waitMs, scope);
    },
  });
}

export function isTransient(error: unknown): boolean {
  return FaasError.is(error) && (error.code === 'THROTTLED' || error.code === 'UNAVAILABLE');
}
