/**
 * How many instances the load of a web function needs: enough that each has at most so many requests a second. More
 * come at once; fewer stay only when the load has been low for a while, and none when there was no request for long.
 */

import type { Scale } from '../domain/web-function.js';

export interface ScalerOptions {
  /** Requests a second that one instance is meant to take. */
  readonly targetPerSec: number;
  /** How long the load must be low before instances go. */
  readonly downAfterMs: number;
}

export const DEFAULT_SCALER: ScalerOptions = { targetPerSec: 5, downAfterMs: 20_000 };

interface Sample {
  readonly at: number;
  readonly requests: number;
}

export class Scaler {
  readonly #options: ScalerOptions;
  #last: Sample | undefined;
  #lastRequestAt: number;
  #lowSince: number | undefined;

  constructor(nowMs: number, options: ScalerOptions = DEFAULT_SCALER) {
    this.#options = options;
    this.#lastRequestAt = nowMs;
  }

  /**
   * Called every few seconds.
   * @param requests so far in all
   * @param busy is a request under way?
   * @returns the number of instances there should be
   */
  next(scale: Scale, requests: number, busy: boolean, nowMs: number): number {
    const { targetPerSec, downAfterMs } = this.#options;
    const before = this.#last ?? { at: nowMs, requests };
    this.#last = { at: nowMs, requests };
    if (requests > before.requests || busy) this.#lastRequestAt = nowMs;
    const { replicas, min, max, zeroAfterSecs } = scale;
    if (zeroAfterSecs !== undefined && nowMs - this.#lastRequestAt >= zeroAfterSecs * 1000) return 0;
    // Whoever has none wakes by a request, and fixed numbers stay.
    if (replicas === 0 || min >= max) return replicas;
    const seconds = (nowMs - before.at) / 1000;
    const perSec = seconds > 0 ? (requests - before.requests) / seconds : 0;
    const needed = Math.min(Math.max(Math.ceil(perSec / targetPerSec), min, 1), max);
    if (needed >= replicas) {
      this.#lowSince = undefined;
      return needed;
    }
    this.#lowSince ??= nowMs;
    return nowMs - this.#lowSince >= downAfterMs ? needed : replicas;
  }
}
