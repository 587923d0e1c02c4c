/** The money of a budget: spent, set aside, and who waits for some. */

export interface PurseWaiter {
  readonly usd: number;
  /** The money has been set aside. */
  admit(): void;
}

// setTimeout counts in a signed 32-bit integer and fires at once beyond it.
const MAX_TIMER_MS = 2 ** 31 - 1;

export class Purse {
  limitUsd: number;
  reservedUsd = 0;
  #spentUsd = 0;
  #inFlight = 0;
  readonly #windowMs: number;
  /** By `performance.now()`. A window opens with the first call, or cost, after the last one ended. */
  #windowEndMs = -Infinity;
  // A Set keeps the order of arrival and forgets a cancelled waiter in O(1).
  readonly #waiters = new Set<PurseWaiter>();
  #timer: NodeJS.Timeout | undefined;

  constructor(limitUsd: number, windowMs: number) {
    this.limitUsd = limitUsd;
    this.#windowMs = windowMs;
  }

  get spentUsd(): number {
    this.#renew();
    return this.#spentUsd;
  }

  get parked(): number {
    return this.#waiters.size;
  }

  tryReserve(usd: number): boolean {
    if (this.#waiters.size > 0 || !this.#hasRoom(usd)) return false;
    this.#reserve(usd);
    return true;
  }

  /** What was set aside comes free, what it did cost is spent. */
  settle(reservedUsd: number, costUsd: number): void {
    this.#renew();
    this.#inFlight -= 1;
    // Sums of floating-point numbers leave dust: with nothing in flight there is nothing set aside.
    this.reservedUsd = this.#inFlight === 0 ? 0 : Math.max(0, this.reservedUsd - reservedUsd);
    this.#openWindow();
    this.#spentUsd += costUsd;
    this.#admit();
  }

  raise(usd: number): void {
    this.limitUsd += usd;
    this.#admit();
  }

  park(waiter: PurseWaiter): void {
    this.#waiters.add(waiter);
    this.#wakeLater();
  }

  forget(waiter: PurseWaiter): void {
    this.#waiters.delete(waiter);
    // The next one may be cheaper.
    this.#admit();
  }

  #admit(): void {
    for (const waiter of this.#waiters) {
      if (!this.#hasRoom(waiter.usd)) break;
      this.#waiters.delete(waiter);
      this.#reserve(waiter.usd);
      waiter.admit();
    }
    if (this.#waiters.size === 0) this.#stopTimer();
    else this.#wakeLater();
  }

  #hasRoom(usd: number): boolean {
    this.#renew();
    if (this.#spentUsd + this.reservedUsd + usd <= this.limitUsd) return true;
    // Else a call that may cost more than the whole limit, in the worst case, would wait for ever.
    return this.#inFlight === 0 && this.#spentUsd < this.limitUsd;
  }

  #reserve(usd: number): void {
    this.#openWindow();
    this.#inFlight += 1;
    this.reservedUsd += usd;
  }

  #openWindow(): void {
    const nowMs = performance.now();
    if (nowMs >= this.#windowEndMs) this.#windowEndMs = nowMs + this.#windowMs;
  }

  #renew(): void {
    if (this.#windowEndMs > 0 && performance.now() >= this.#windowEndMs) {
      this.#windowEndMs = -Infinity;
      this.#spentUsd = 0;
    }
  }

  /** A window ends without any call ending, so a timer lets the waiters in. It keeps the process alive: they wait. */
  #wakeLater(): void {
    const leftMs = this.#windowEndMs - performance.now();
    if (!Number.isFinite(leftMs) || this.#timer !== undefined) return;
    const delayMs = Math.min(Math.max(1, Math.ceil(leftMs)), MAX_TIMER_MS);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#admit();
    }, delayMs);
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
