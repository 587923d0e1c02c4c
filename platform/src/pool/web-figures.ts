/** What the requests to one web function came to, counted since the platform was started. */

import { PlatformError } from '../domain/errors.js';

export interface WebFigures {
  readonly requests: number;
  /** Those without an answer of the function, timeouts among them. */
  readonly failures: number;
  readonly timeouts: number;
  /** By the status the function answered with. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Of requests with an answer. */
  readonly totalMs: number;
  readonly longestMs: number;
}

export class WebCounter {
  #figures: WebFigures = { requests: 0, failures: 0, timeouts: 0, statuses: {}, totalMs: 0, longestMs: 0 };

  get figures(): WebFigures {
    return this.#figures;
  }

  answered(status: number, durationMs: number): void {
    const { requests, statuses, totalMs, longestMs } = this.#figures;
    this.#figures = {
      ...this.#figures,
      requests: requests + 1,
      statuses: { ...statuses, [status]: (statuses[status] ?? 0) + 1 },
      totalMs: totalMs + durationMs,
      longestMs: Math.max(longestMs, durationMs),
    };
  }

  failed(error: unknown): void {
    const { requests, failures, timeouts } = this.#figures;
    const isTimeout = error instanceof PlatformError && error.code === 'TIMEOUT';
    this.#figures = {
      ...this.#figures,
      requests: requests + 1,
      failures: failures + 1,
      timeouts: timeouts + (isTimeout ? 1 : 0),
    };
  }
}
