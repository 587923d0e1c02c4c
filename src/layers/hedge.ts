/** hedge: a second request for the few calls that are much slower than usual. */
import { FaasError } from '../core/errors.js';
import type { CallContext, FaasInvoker } from '../core/executor.js';
import { type JobCall, type JobId, type JobResult, nextAttempt } from '../core/job.js';
import type { Layer } from '../core/layer.js';
import { wasRefused } from '../core/retry-policy.js';
import { ChildScope } from '../core/scope.js';
import { LatencyWindow } from './latency-window.js';
import { checkOption, configError, executedOverall, invokeSafely, wrap } from './wrap.js';

/** Options of `hedge`, all with a default. */
export interface HedgeOptions {
  /** A call is slow once it takes longer than this share of the last calls of its job. Default 0.95. */
  readonly percentile?: number;
  /** Never hedge before this many milliseconds. Default 1. */
  readonly minDelayMs?: number;
  /** Extra requests per hedgeable call, as a hard bound from the first call on. Default 0.05. */
  readonly maxExtraRatio?: number;
}

/**
 * Sends idempotent calls a second time when they are slower than the learned percentile. The first answer wins
 * and the other request is cancelled. Calls that are not idempotent pass untouched.
 * @throws {FaasError} CONFIG at once for an option out of range.
 */
export function hedge(options: HedgeOptions = {}): Layer {
  const { percentile = 0.95, minDelayMs = 1, maxExtraRatio = 0.05 } = options;
  checkOption('hedge', 'minDelayMs', minDelayMs, '0 or more');
  for (const [name, share] of Object.entries({ percentile, maxExtraRatio })) {
    if (!(share > 0 && share < 1)) throw configError(`hedge: ${name} must be between 0 and 1, not ${share}.`);
  }

  return (inner) => {
    const windows = new Map<JobId, LatencyWindow>();
    // Starts empty: a reserve would break the bound while few calls have been made.
    let extra = 0;
    return wrap(inner, (call, context) => {
      if (!call.idempotent) return inner.invoke(call, context);
      extra = Math.min(extra + maxExtraRatio, 10);
      let window = windows.get(call.jobId);
      if (window === undefined) {
        window = new LatencyWindow(percentile);
        windows.set(call.jobId, window);
      }
      return race(inner, call, context, Math.max(minDelayMs, window.percentileMs), window, () => {
        if (extra < 1) return false;
        extra -= 1;
        return true;
      });
    });
  };
}

function race(
  inner: FaasInvoker,
  call: JobCall,
  context: CallContext,
  delayMs: number,
  window: LatencyWindow,
  mayHedge: () => boolean,
): Promise<JobResult> {
  return new Promise<JobResult>((resolve, reject) => {
    const startedMs = performance.now();
    const scopes: ChildScope[] = [];
    let failure: FaasError | undefined;
    let running = 0;

    const finish = () => {
      clearTimeout(timer);
      for (const scope of scopes) scope.dispose();
    };
    const start = (attempt: JobCall) => {
      const scope = new ChildScope(context);
      scopes.push(scope);
      running += 1;
      invokeSafely(inner, attempt, scope).then(
        (result) => {
          running -= 1;
          // Also where the second request won: the first took at least this long.
          window.add(performance.now() - startedMs);
          finish();
          for (const loser of scopes) if (loser !== scope) loser.cancel(outrun(inner.provider));
          resolve(result);
        },
        (error: unknown) => {
          running -= 1;
          failure = merge(failure, error);
          if (running > 0) return;
          finish();
          reject(failure ?? error);
        },
      );
    };
    const timer =
      delayMs === Infinity
        ? undefined
        : setTimeout(() => {
            if (mayHedge()) start(nextAttempt(call, call.attempt + 1));
          }, delayMs);
    start(call);
  });
}

/** The later error, with facts that speak for both requests. */
function merge(earlier: FaasError | undefined, error: unknown): FaasError | undefined {
  if (!FaasError.is(error) || earlier === undefined) return FaasError.is(error) ? error : earlier;
  // The first request was sent: that a layer refused to send the second says nothing.
  if (wasRefused(error)) return earlier;
  const executed = executedOverall(earlier.executed, error.executed);
  return executed === error.executed ? error : error.with({ executed });
}

function outrun(provider: string): FaasError {
  return new FaasError({
    code: 'CANCELLED',
    executed: 'maybe',
    provider,
    message: 'Another request of the same call answered first (hedge layer).',
  });
}
