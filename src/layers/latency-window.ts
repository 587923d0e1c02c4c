/** The latencies of a job's last calls, and a percentile of them. */

const SIZE = 256;
/** Fewer calls say nothing about a percentile. */
const LEAST = 20;
/** Sorting on each call would cost more than it tells. */
const REFRESH_EVERY = 16;

export class LatencyWindow {
  readonly #share: number;
  readonly #latenciesMs = new Float64Array(SIZE);
  #calls = 0;
  #percentileMs = Infinity;

  /** @param share which percentile, for example 0.95 */
  constructor(share: number) {
    this.#share = share;
  }

  /** Infinity while too few calls were seen. */
  get percentileMs(): number {
    return this.#percentileMs;
  }

  add(latencyMs: number): void {
    this.#latenciesMs[this.#calls % SIZE] = latencyMs;
    this.#calls += 1;
    if (this.#calls < LEAST || (this.#calls > LEAST && this.#calls % REFRESH_EVERY !== 0)) return;
    const sorted = this.#latenciesMs.slice(0, Math.min(this.#calls, SIZE)).sort();
    this.#percentileMs = sorted[Math.ceil(sorted.length * this.#share) - 1] ?? Infinity;
  }
}
