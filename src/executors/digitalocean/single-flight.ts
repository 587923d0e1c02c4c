/** One piece of work for all who want it at the same time. */
import type { CallScope } from '../../core/scope.js';
import { untilCancelled } from '../shared/http.js';
import { inScope } from '../shared/in-scope.js';
import type { Place } from '../shared/transport-error.js';
import { notExecuted, type Waits } from './client.js';

/** Of the work, with its retries. */
const TIMEOUT_MS = 60_000;

export class SingleFlight<Output> {
  #flight: Promise<Output> | undefined;

  /**
   * Joins the work under way, or starts it in a time of its own: a caller who gives up leaves the others waiting.
   * @throws {FaasError} `executed: 'no'`: the work comes before any call
   */
  join(work: (scope: CallScope) => Promise<Output>, place: Place, context: Waits): Promise<Output> {
    this.#flight ??= inScope(undefined, TIMEOUT_MS, work)
      .catch((failure: unknown) => {
        throw notExecuted(failure);
      })
      .finally(() => {
        this.#flight = undefined;
      });
    return untilCancelled(this.#flight, place, context);
  }
}
