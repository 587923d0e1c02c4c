/** failover: several executors for the same jobs; the next one is asked when one cannot do it. */
import { type Executed, FaasError, type FaasErrorCode } from '../core/errors.js';
import type { FaasInvoker } from '../core/executor.js';
import { type JobResult, nextAttempt } from '../core/job.js';
import { wasRefused } from '../core/retry-policy.js';
import { intersectLimits } from './intersect-limits.js';
import { timeout } from './timeout.js';
import { configError, executedOverall, hasCode } from './wrap.js';

/** Options of `failover`. */
export interface FailoverOptions {
  /** Milliseconds each executor gets before the next is asked. Default: the call's own deadline. */
  readonly attemptTimeoutMs?: number;
}

/** What another provider may do better; a handler that fails or an input that is wrong fails everywhere. */
const OTHERS_MAY_HELP: ReadonlySet<FaasErrorCode> = new Set([
  'UNAVAILABLE',
  'THROTTLED',
  'TIMEOUT',
  'REJECTED',
  'AUTH',
  'NOT_FOUND',
  'UNSUPPORTED',
  'CONFLICT',
  'PROTOCOL',
]);

/**
 * An invoker that asks `executors` in order. The next is asked when a failure certainly did not run the job, or
 * when the job is idempotent and the failure leaves it open. Limits are those that suit all executors. When all
 * fail, the last error of one that was asked is thrown, with every executor's failure in its message.
 * @throws {FaasError} CONFIG at once for an empty list, or when no setting suits all limits.
 */
export function failover(executors: readonly FaasInvoker[], options: FailoverOptions = {}): FaasInvoker {
  if (executors.length === 0) throw configError('failover: give at least one executor.');
  const { attemptTimeoutMs } = options;
  // The timeout layer drops the late answer of an executor that was given up.
  const chain =
    attemptTimeoutMs === undefined ? executors : executors.map(timeout({ timeoutMs: attemptTimeoutMs }));

  return {
    provider: `failover(${executors.map((executor) => executor.provider).join(', ')})`,
    limits: intersectLimits(executors.map((executor) => executor.limits)),
    async invoke(call, context) {
      const failures: FaasError[] = [];
      let executed: Executed = 'no';
      for (const [index, executor] of chain.entries()) {
        try {
          const attempt = index === 0 ? call : nextAttempt(call, call.attempt + index);
          return answeredBy(executor.provider, await executor.invoke(attempt, context));
        } catch (error) {
          if (!FaasError.is(error)) throw error;
          failures.push(error);
          executed = executedOverall(executed, error.executed);
          const harmless = error.executed === 'no' || (error.executed === 'maybe' && call.idempotent);
          const over = context.signal.aborted || Date.now() >= context.deadline;
          if (!harmless || over || !hasCode(error, OTHERS_MAY_HELP)) break;
        }
      }
      throw summary(failures, executed);
    },
    async close() {
      const closings = await Promise.allSettled(executors.map((executor) => executor.close?.()));
      for (const closing of closings) if (closing.status === 'rejected') throw closing.reason;
    },
  };
}

/** Says who answered, since nobody can tell from the outside. */
function answeredBy(provider: string, { result, metadata, metrics }: JobResult): JobResult {
  return { result, metadata, metrics: { ...metrics, provider: metrics.provider ?? provider } };
}

function summary(failures: readonly FaasError[], executed: Executed): FaasError {
  // One that was asked speaks for all: a layer's refusal would say that nothing went on the wire.
  const told = failures.findLast((failure) => !wasRefused(failure)) ?? failures.at(-1);
  if (told === undefined) throw configError('failover: no executor was asked.');
  if (failures.length === 1) return told;
  const story = failures
    .map((failure) => `${failure.provider ?? 'unknown'}: ${failure.message}`)
    .join(' Then ');
  const message = `${failures.length} executors failed. ${story}`;
  if (!wasRefused(told)) return told.with({ executed, message });
  // All refused to send, and the first that may be asked again decides when.
  const waitsMs = failures.map(({ retryAfterMs }) => retryAfterMs).filter((waitMs) => waitMs !== undefined);
  return told.with({ message, retryAfterMs: waitsMs.length === 0 ? undefined : Math.min(...waitsMs) });
}
