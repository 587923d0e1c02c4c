/** retry: the one place that attempts a call again. */
import { FaasError } from '../core/errors.js';
import type { CallContext, FaasInvoker } from '../core/executor.js';
import { type JobCall, type JobResult, nextAttempt } from '../core/job.js';
import type { Layer } from '../core/layer.js';
import {
  DEFAULT_RETRY_POLICY,
  mayRetry,
  RetryBudget,
  type RetryPolicy,
  retryDelayMs,
} from '../core/retry-policy.js';
import { sleep } from '../core/scope.js';
import { checkCount, checkOption, executedOverall, wrap } from './wrap.js';

export interface RetryEvent {
  /** The attempt that will be made after the wait. */
  readonly call: JobCall;
  readonly provider: string;
  readonly delayMs: number;
  /** Why the attempt before failed. */
  readonly error: FaasError;
}

export interface RetryOptions extends Partial<RetryPolicy> {
  /** Limits the retries of many calls together. Default: one per `retry()`, shared by all it wraps. */
  readonly budget?: RetryBudget;
  /** From 0 to below 1. Default `Math.random`. */
  readonly random?: () => number;
  /** Called before each wait. Must not throw. */
  readonly onRetry?: (event: RetryEvent) => void;
}

/**
 * Attempts a call again when the facts allow it: it certainly did not run, or running it twice does no harm.
 * A Retry-After beyond `maxDelayMs` or beyond the deadline ends the call at once. The final error carries
 * `attempts`, and its `executed` speaks for all attempts together.
 * @throws {FaasError} CONFIG at once for an option out of range.
 */
export function retry(options: RetryOptions = {}): Layer {
  const { budget = new RetryBudget(), random = Math.random, onRetry, ...changes } = options;
  const policy: RetryPolicy = { ...DEFAULT_RETRY_POLICY, ...changes };
  checkCount('retry', 'attempts', policy.attempts, 1);
  checkOption('retry', 'minDelayMs', policy.minDelayMs, '0 or more');
  checkOption('retry', 'maxDelayMs', policy.maxDelayMs, '0 or more');

  return (inner) =>
    wrap(inner, (call, context) => {
      budget.deposit();
      // The first attempt costs one rejection handler and nothing else.
      return inner
        .invoke(call, context)
        .catch((error: unknown) =>
          laterAttempts(error, inner, call, context, { policy, budget, random, onRetry }),
        );
    });
}

interface Means {
  readonly policy: RetryPolicy;
  readonly budget: RetryBudget;
  readonly random: () => number;
  readonly onRetry: RetryOptions['onRetry'];
}

async function laterAttempts(
  first: unknown,
  inner: FaasInvoker,
  call: JobCall,
  context: CallContext,
  means: Means,
): Promise<JobResult> {
  if (!FaasError.is(first)) throw first;
  const { policy } = means;
  let failure = first;
  let executed = first.executed;
  let attempts = 1;
  let delayMs = delayBeforeNext(failure, attempts, call, context, means);

  const attempt = async (): Promise<JobResult> => {
    const next = nextAttempt(call, call.attempt + attempts);
    means.onRetry?.({ call: next, provider: inner.provider, delayMs: delayMs ?? 0, error: failure });
    try {
      // The wait is ours, not p-retry's: it follows Retry-After and ends with the call.
      await sleep(delayMs ?? 0, context);
    } catch (reason) {
      // Cancelled while nothing was on the wire: why it ended, with the facts of the attempts before.
      if (FaasError.is(reason)) failure = reason.with({ provider: inner.provider, executed, cause: failure });
      throw failure;
    }
    attempts += 1;
    try {
      return await inner.invoke(next, context);
    } catch (error) {
      if (!FaasError.is(error)) throw error;
      failure = error;
      executed = executedOverall(executed, error.executed);
      throw error;
    }
  };

  if (delayMs !== undefined) {
    const { default: pRetry } = await import('p-retry');
    try {
      // No signal for p-retry: it would replace the facts of a cancelled attempt, or a result, by the reason.
      return await pRetry(attempt, {
        retries: policy.attempts - 2,
        minTimeout: 0,
        shouldRetry: () => {
          delayMs = delayBeforeNext(failure, attempts, call, context, means);
          return delayMs !== undefined;
        },
      });
    } catch (error) {
      if (!FaasError.is(error)) throw error;
    }
  }
  // An inner retry has counted already.
  throw failure.attempts === undefined ? failure.with({ attempts, executed }) : failure;
}

/** Milliseconds to wait before the next attempt, or undefined to give up. */
function delayBeforeNext(
  failure: FaasError,
  attempts: number,
  call: JobCall,
  context: CallContext,
  { policy, budget, random }: Means,
): number | undefined {
  if (attempts >= policy.attempts || context.signal.aborted) return undefined;
  if (!mayRetry(failure, call.idempotent, policy.functionErrors)) return undefined;
  if (failure.retryAfterMs !== undefined && failure.retryAfterMs > policy.maxDelayMs) return undefined;
  const delayMs = retryDelayMs(policy, attempts + 1, failure.retryAfterMs, random);
  if (Date.now() + delayMs >= context.deadline) return undefined;
  return budget.withdraw() ? delayMs : undefined;
}
