/** A limit on how many calls run at once, for one job or one executor. Waiters go in the order they came. */

export interface Waiter {
  /** A place in the gate it waited for is taken for it. Must not throw. */
  wake(): void;
}

export class Gate {
  readonly #limit: number;
  readonly #waiters = new Set<Waiter>();
  // Kept: each new iterator would step over all who left before, which is quadratic in a long line.
  #line = this.#waiters.values();
  #inside = 0;
  #admitting = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes a place, or lines up behind those who came earlier; then `wake` tells when a place is taken. */
  enter(waiter: Waiter): boolean {
    if (this.#inside < this.#limit && this.#waiters.size === 0) {
      this.#inside += 1;
      return true;
    }
    this.#waiters.add(waiter);
    return false;
  }

  /** Leaves the line. */
  forget(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  /** Gives a place back. Whoever leaves several gates leaves them all, and then calls `admit` on each. */
  leave(): void {
    this.#inside -= 1;
  }

  /** Wakes waiters while there are places. */
  admit(): void {
    // A waiter that ends as soon as it is woken leaves and comes here again. The loop below has a place for the next
    // one then; a wake-up from here would sit on top of the last, until the stack overflows.
    if (this.#admitting || this.#waiters.size === 0) return;
    this.#admitting = true;
    try {
      while (this.#inside < this.#limit && this.#waiters.size > 0) {
        const waiter = this.#first();
        this.#waiters.delete(waiter);
        this.#inside += 1;
        waiter.wake();
      }
    } finally {
      this.#admitting = false;
    }
  }

  #first(): Waiter {
    let next = this.#line.next();
    if (next.done === true) {
      this.#line = this.#waiters.values();
      next = this.#line.next();
    }
    return next.value as Waiter;
  }
}
