/** A limit on how many calls run at once, for one job or one executor. Waiters go in the order they came. */

export interface Waiter {
  /** A place is free in one gate: try to enter all of them again. */
  wake(): void;
}

export class Gate {
  readonly #limit: number;
  readonly #waiters = new Set<Waiter>();
  #inside = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get hasPlace(): boolean {
    return this.#inside < this.#limit;
  }

  /** Somebody came earlier. */
  get hasWaiters(): boolean {
    return this.#waiters.size > 0;
  }

  enter(): void {
    this.#inside += 1;
  }

  leave(): void {
    this.#inside -= 1;
    this.offerPlace();
  }

  wait(waiter: Waiter): void {
    this.#waiters.add(waiter);
  }

  forget(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  /** Wakes the first waiter when there is a place for it. */
  offerPlace(): void {
    if (!this.hasPlace) return;
    for (const waiter of this.#waiters) {
      this.#waiters.delete(waiter);
      waiter.wake();
      return;
    }
  }
}

/** Enters all gates, or none: returns the one that was closed. */
export function enterAll(gates: readonly Gate[], isNewcomer: boolean): Gate | undefined {
  for (const gate of gates) {
    if (!gate.hasPlace || (isNewcomer && gate.hasWaiters)) return gate;
  }
  for (const gate of gates) gate.enter();
  return undefined;
}
