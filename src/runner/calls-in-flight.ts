/** The calls that are accepted and not settled. */
import { FaasError } from '../core/errors.js';
import type { RunningCall } from './running-call.js';

/** Linked through the calls themselves: a million a second come and go. */
export interface Listed {
  listNext: RunningCall | null;
  listPrevious: RunningCall | null;
}

export class CallsInFlight {
  #newest: RunningCall | null = null;
  #size = 0;
  #waiting = 0;
  // 96 random bits a runner and a count: as unique as a UUID a call, at a fraction of the cost.
  readonly #idPrefix = Buffer.from(crypto.getRandomValues(new Uint8Array(12))).toString('hex');
  #idCount = 0;

  get size(): number {
    return this.#size;
  }

  get running(): number {
    return this.#size - this.#waiting;
  }

  /** Those for which some limit has no place. */
  get waiting(): number {
    return this.#waiting;
  }

  newId(): string {
    this.#idCount += 1;
    return `${this.#idPrefix}-${this.#idCount}`;
  }

  add(call: RunningCall): void {
    call.listNext = this.#newest;
    if (this.#newest !== null) this.#newest.listPrevious = call;
    this.#newest = call;
    this.#size += 1;
  }

  /** Must hold the call. */
  remove(call: RunningCall): void {
    const { listNext: next, listPrevious: previous } = call;
    if (previous === null) this.#newest = next;
    else previous.listNext = next;
    if (next !== null) next.listPrevious = previous;
    call.listNext = call.listPrevious = null;
    this.#size -= 1;
  }

  /** @param change 1 when it begins to wait, -1 when it waits no longer */
  waits(call: RunningCall, change: 1 | -1): void {
    this.#waiting += change;
    call.source.waiting += change;
  }

  /** @param cause why the runner stopped, if somebody said */
  cancelAll(cause: unknown): void {
    const reason = new FaasError({
      cause,
      code: 'CANCELLED',
      executed: 'maybe',
      message: 'The runner stopped and its grace period is over.',
    });
    const calls: RunningCall[] = [];
    for (let call = this.#newest; call !== null; call = call.listNext) calls.push(call);
    calls.reverse();
    // The waiting first: a place that a cancelled call leaves must not let one of them in.
    for (const call of calls) if (call.isWaiting) call.cancel(reason);
    for (const call of calls) call.cancel(reason);
  }
}
