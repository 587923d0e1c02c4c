/** concurrency: at most so many calls at once, the others wait their turn. */
import type { Layer } from '../core/layer.js';
import { AdaptiveLimit, type AdaptiveOptions, type ConcurrencyLimit } from './adaptive-limit.js';
import { Gate } from './gate.js';
import { checkCount, configError, wrap } from './wrap.js';

export type { AdaptiveOptions };

/** Options of `concurrency`: give exactly one of `max` and `adaptive`. */
export interface ConcurrencyOptions {
  /** A fixed limit. Give this or `adaptive`. */
  readonly max?: number;
  /** A limit that follows what the provider can take. */
  readonly adaptive?: AdaptiveOptions;
  /** Calls that may wait; one more is REJECTED, and 0 rejects at once. Default: no limit, since a runner has its own. */
  readonly queueSize?: number;
}

/**
 * Limits the calls in flight to each executor it wraps. Waiters leave first in, first out, or when they are
 * cancelled (`executed: no`). A queue with a limit rejects, once full, with REJECTED, `executed: no`.
 * @throws {FaasError} CONFIG at once for an option out of range, or unless exactly one of `max` and `adaptive` is given.
 */
export function concurrency(options: ConcurrencyOptions): Layer {
  const { max, adaptive, queueSize = Infinity } = options;
  checkCount('concurrency', 'queueSize', queueSize, 0);
  if ((max === undefined) === (adaptive === undefined)) {
    throw configError('concurrency: give either max (a fixed limit) or adaptive ({ min, max, initial }).');
  }
  if (max !== undefined) checkCount('concurrency', 'max', max, 1);
  const newLimit = (): ConcurrencyLimit =>
    adaptive === undefined
      ? { current: max ?? 1, pausedMs: () => 0, ended: () => {} }
      : new AdaptiveLimit(adaptive);
  newLimit();

  return (inner) => {
    const gate = new Gate(newLimit(), queueSize, inner);
    return wrap(inner, async (call, context) => {
      if (!gate.tryEnter()) await gate.wait(call, context);
      const startedMs = performance.now();
      const startedInFlight = gate.inFlight;
      const end = (error: unknown) => {
        gate.leave({ jobId: call.jobId, startedMs, endedMs: performance.now(), startedInFlight, error });
      };
      try {
        const result = await inner.invoke(call, context);
        end(undefined);
        return result;
      } catch (error) {
        end(error);
        throw error;
      }
    });
  };
}
