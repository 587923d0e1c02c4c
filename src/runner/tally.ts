/** Counts how the accepted jobs of a run ended. */
import type { OutcomeStatus, RunSummary } from './outcome.js';

export class Tally {
  #accepted = 0;
  #parked = 0;
  readonly #byStatus: Record<OutcomeStatus, number> = {
    ok: 0,
    failed: 0,
    'timed-out': 0,
    cancelled: 0,
    dead: 0,
  };

  accept(): void {
    this.#accepted += 1;
  }

  count(status: OutcomeStatus): void {
    this.#byStatus[status] += 1;
  }

  park(): void {
    this.#parked += 1;
  }

  summary(): RunSummary {
    const { ok, failed, cancelled, dead } = this.#byStatus;
    return {
      accepted: this.#accepted,
      ok,
      failed,
      timedOut: this.#byStatus['timed-out'],
      cancelled,
      dead,
      parked: this.#parked,
    };
  }
}
