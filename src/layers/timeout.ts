/** timeout: a nearer deadline for everything further in. */
import { FaasError } from '../core/errors.js';
import type { CallContext, FaasInvoker } from '../core/executor.js';
import type { JobCall, JobResult } from '../core/job.js';
import type { Layer } from '../core/layer.js';
import { ChildScope } from '../core/scope.js';
import { checkOption, invokeSafely, wrap } from './wrap.js';

/** Options of `timeout`. */
export interface TimeoutOptions {
  /** Milliseconds for everything inside this layer: all attempts outside `retry()`, each attempt inside it. */
  readonly timeoutMs: number;
}

/** How long after the cancel the inner invoker may still say whether the function ran. */
const FACTS_GRACE_MS = 25;

/**
 * Fails a call with TIMEOUT after `timeoutMs`. The inner invoker is cancelled and has 25 ms to report its facts;
 * when it stays silent the error says `executed: maybe`. An answer that comes after the deadline is dropped.
 * @throws {FaasError} CONFIG at once for a `timeoutMs` that is no number above 0.
 */
export function timeout({ timeoutMs }: TimeoutOptions): Layer {
  checkOption('timeout', 'timeoutMs', timeoutMs, 'above 0');
  return (inner) => wrap(inner, (call, context) => invokeWithin(inner, call, context, timeoutMs));
}

function invokeWithin(
  inner: FaasInvoker,
  call: JobCall,
  context: CallContext,
  timeoutMs: number,
): Promise<JobResult> {
  const scope = new ChildScope(context, timeoutMs);
  const deadline = Math.min(scope.deadline, call.deadline);
  // The function reads its deadline from the call, so it must be told of the nearer one.
  const inTime: JobCall =
    deadline === call.deadline
      ? call
      : Object.create(call, { deadline: { value: deadline, enumerable: true } });
  return new Promise<JobResult>((resolve, reject) => {
    let grace: NodeJS.Timeout | undefined;
    const settle = () => {
      clearTimeout(grace);
      scope.dispose();
    };
    scope.onCancel((reason) => {
      grace = setTimeout(() => {
        settle();
        reject(
          reason.with({ provider: inner.provider, executed: 'maybe', message: text(reason, 'no facts') }),
        );
      }, FACTS_GRACE_MS);
    });
    const text = (reason: FaasError, facts: string) =>
      reason.code === 'TIMEOUT'
        ? `${inner.provider} did not answer job ${call.jobId} in time (timeout layer: ${timeoutMs} ms; ${facts}).`
        : reason.message;

    invokeSafely(inner, inTime, scope).then(
      (result) => {
        settle();
        const { reason } = scope;
        if (reason === undefined) resolve(result);
        else
          reject(
            reason.with({
              provider: inner.provider,
              executed: 'yes',
              message: text(reason, 'a late answer came'),
            }),
          );
      },
      (error: unknown) => {
        settle();
        const { reason } = scope;
        // Cancelling can surface as something else further in; the caller must learn that time ran out.
        const renamed = reason !== undefined && FaasError.is(error) && error.code !== reason.code;
        reject(renamed ? error.with({ code: reason.code, message: text(reason, error.message) }) : error);
      },
    );
  });
}
