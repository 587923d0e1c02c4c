/** retry: the one place that attempts a call again. */
import { type Executed, FaasError } from '../core/errors.js';
import type { CallContext, FaasInvoker } from '../core/executor.js';
import { type JobCall, type JobResult, nextAttempt } from '../core/job.js';
import type { Layer } from '../core/layer.js';
import {
  costsBudget,
  DEFAULT_RETRY_POLICY,
  mayRetry,
  RetryBudget,
  type RetryPolicy,
  retryDelayMs,
  wasRefused,
} from '../core/retry-policy.js';
import { sleep } from '../core/scope.js';
import { checkCount, checkOption, executedOverall, invokeSafely, tell, wrap } from './wrap.js';

/** What `onRetry` is told. */
export interface RetryEvent {
  /** The attempt that will be made after the wait; a call that a layer refused to send keeps its number. */
  readonly call: JobCall;
  /** The provider id of the executor inside. */
  readonly provider: string;
  /** Milliseconds until that attempt. */
  readonly delayMs: number;
  /** Why the attempt before failed. */
  readonly error: FaasError;
}

/** Options of `retry`: the policy, and what it needs to act; all with a default. */
export interface RetryOptions extends Partial<RetryPolicy> {
  /** Limits the retries of many calls together. Default: one per `retry()`, shared by all it wraps. */
  readonly budget?: RetryBudget;
  /** From 0 to below 1. Default `Math.random`. */
  readonly random?: () => number;
  /** Called before each wait. What it throws becomes a warning of the process. */
  readonly onRetry?: (event: RetryEvent) => void;
}

/**
 * Attempts a call again when the facts allow it: it certainly did not run, or running it twice does no harm.
 * A Retry-After beyond `maxDelayMs` or beyond the deadline ends the call at once; an open circuit further in is
 * waited for (`waitWhenRejected`). The final error carries `attempts`, the requests that were sent; its `executed`
 * speaks for all of them together, and its message says so when it was the empty budget, a Retry-After or the deadline
 * that ruled out another attempt.
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
      return invokeSafely(inner, call, context).catch((error: unknown) =>
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

/** What follows a failure: another attempt after a wait, or, without `delayMs`, none. */
interface NextStep {
  readonly delayMs?: number;
  /** Why there is no further attempt although this failure would allow one. */
  readonly obstacle?: string;
}

const GIVE_UP: NextStep = {};

async function laterAttempts(
  first: unknown,
  inner: FaasInvoker,
  call: JobCall,
  context: CallContext,
  means: Means,
): Promise<JobResult> {
  if (!FaasError.is(first)) throw first;
  let failure = first;
  let executed: Executed = 'no';
  let attempts = 0;
  let next = GIVE_UP;

  const failed = (error: FaasError): void => {
    failure = error;
    executed = executedOverall(executed, error.executed);
    if (!wasRefused(error)) attempts += 1;
    next = nextStep(error, attempts, inner.provider, call, context, means);
  };
  const attempt = async (): Promise<JobResult> => {
    const again = attempts === 0 ? call : nextAttempt(call, call.attempt + attempts);
    const { delayMs = 0 } = next;
    next = GIVE_UP;
    tell('onRetry', means.onRetry, { call: again, provider: inner.provider, delayMs, error: failure });
    try {
      // The wait is ours, not p-retry's: it follows Retry-After and ends with the call.
      await sleep(delayMs, context);
    } catch (reason) {
      // Nothing is on the wire: why it ended, with the facts of the attempts before.
      if (FaasError.is(reason)) failure = whileWaiting(reason, failure, executed, inner.provider);
      throw failure;
    }
    try {
      return await inner.invoke(again, context);
    } catch (error) {
      if (FaasError.is(error)) failed(error);
      throw error;
    }
  };

  failed(first);
  if (next.delayMs !== undefined) {
    const { default: pRetry } = await import('p-retry');
    try {
      // No signal for p-retry: it would replace the facts of a cancelled attempt, or a result, by the reason. Nor a
      // number of retries: waiting for a circuit counts as none.
      return await pRetry(attempt, {
        retries: Infinity,
        minTimeout: 0,
        shouldRetry: () => next.delayMs !== undefined,
      });
    } catch (error) {
      if (!FaasError.is(error)) throw error;
    }
  }
  // An inner retry has counted already.
  if (failure.attempts !== undefined) throw failure;
  const { obstacle } = next;
  const { message, cause } = failure;
  throw obstacle === undefined
    ? failure.with({ attempts, executed })
    : failure.with({ attempts, executed, message: `${message} No further attempt: ${obstacle}.`, cause });
}

function nextStep(
  failure: FaasError,
  attempts: number,
  provider: string,
  call: JobCall,
  context: CallContext,
  { policy, budget, random }: Means,
): NextStep {
  const { retryAfterMs } = failure;
  if (context.signal.aborted) return GIVE_UP;
  if (wasRefused(failure)) {
    if (retryAfterMs === undefined || !policy.waitWhenRejected) return GIVE_UP;
    // Scattered, so that not all who wait for a circuit come back in the same moment.
    return { delayMs: retryAfterMs + random() * policy.minDelayMs };
  }
  if (attempts >= policy.attempts || !mayRetry(failure, call.idempotent, policy.functionErrors)) {
    return GIVE_UP;
  }
  if (retryAfterMs !== undefined && retryAfterMs > policy.maxDelayMs) {
    return {
      obstacle: `${provider} asks to wait ${retryAfterMs} ms, longer than maxDelayMs (${policy.maxDelayMs})`,
    };
  }
  const delayMs = retryDelayMs(policy, attempts + 1, retryAfterMs, random);
  if (Date.now() + delayMs >= context.deadline) return { obstacle: 'the deadline of the call comes first' };
  if (costsBudget(failure) && !budget.withdraw()) {
    return {
      obstacle: `the retry budget of ${provider} is empty, too many calls failed lately (see retryBudget)`,
    };
  }
  return { delayMs };
}

function whileWaiting(
  reason: FaasError,
  failure: FaasError,
  executed: Executed,
  provider: string,
): FaasError {
  const message = `${reason.message} It was waiting for another attempt after this: ${failure.message}`;
  return reason.with({ provider, executed, message, cause: failure });
}
