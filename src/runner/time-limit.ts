/** A time limit of any length. setTimeout alone takes Infinity, and all beyond 24.8 days, for one millisecond. */

const MAX_TIMER_MS = 2 ** 31 - 1;

export class TimeLimit {
  readonly #onOver: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(onOver: () => void) {
    this.#onOver = onOver;
  }

  /** Starts it, or starts it anew. `Infinity`: it is never over. */
  start(limitMs: number): void {
    this.stop();
    if (limitMs === Infinity) return;
    const restMs = limitMs - MAX_TIMER_MS;
    const onTimer = () => (restMs > 0 ? this.start(restMs) : this.#onOver());
    this.#timer = setTimeout(onTimer, Math.min(limitMs, MAX_TIMER_MS));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
