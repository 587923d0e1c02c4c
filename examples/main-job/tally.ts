/** Counts outcomes of one job. */
import type { CallMetrics, OutcomeStatus } from 'jobferry';

export interface JobFigures {
  /** Where its calls ran: `local`, a provider, or both. */
  readonly ranOn: string;
  readonly ok: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly coldStarts: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export class JobTally {
  ok = 0;
  failed = 0;
  bytesIn = 0;
  bytesOut = 0;
  readonly #durationsMs: number[] = [];
  readonly #places = new Set<string>();
  #coldStarts = 0;

  add(status: OutcomeStatus, ranOn: string, metrics: CallMetrics): void {
    if (status === 'ok') this.ok += 1;
    else this.failed += 1;
    this.#places.add(ranOn);
    this.#durationsMs.push(metrics.totalMs);
    if (metrics.coldStart === true) this.#coldStarts += 1;
  }

  figures(): JobFigures {
    const sorted = Float64Array.from(this.#durationsMs).sort();
    return {
      ranOn: [...this.#places].sort().join(' and ') || 'nowhere',
      ok: this.ok,
      failed: this.failed,
      p50Ms: percentile(sorted, 50),
      p95Ms: percentile(sorted, 95),
      p99Ms: percentile(sorted, 99),
      coldStarts: this.#coldStarts,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
    };
  }
}

/** The nearest rank, to a tenth of a millisecond; 0 when nothing ran. */
function percentile(sorted: Float64Array, percent: number): number {
  const value = sorted[Math.ceil((percent / 100) * sorted.length) - 1] ?? 0;
  return Math.round(value * 10) / 10;
}
