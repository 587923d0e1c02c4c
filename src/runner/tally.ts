/** Counts how the accepted jobs of a run ended, and what failed beside them. */
import type { OutcomeStatus, RunSummary } from './outcome.js';
import type { Trouble } from './reports.js';

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
  readonly #troubles: Record<Trouble, number> = {
    producerError: 0,
    ackError: 0,
    consumerError: 0,
    parked: 0,
    serviceError: 0,
    shutdownError: 0,
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

  addTrouble(kind: Trouble): void {
    this.#troubles[kind] += 1;
  }

  summary(): RunSummary {
    const { ok, failed, cancelled, dead } = this.#byStatus;
    const { producerError, ackError, consumerError, serviceError, shutdownError } = this.#troubles;
    return {
      accepted: this.#accepted,
      ok,
      failed,
      timedOut: this.#byStatus['timed-out'],
      cancelled,
      dead,
      parked: this.#parked,
      producerErrors: producerError,
      ackErrors: ackError,
      consumerErrors: consumerError,
      serviceErrors: serviceError,
      shutdownErrors: shutdownError,
    };
  }
}
