/** Work that never waits keeps timers, sockets and signals from being heard: it is cut into turns of the event loop. */

const TURN_MS = 10;
/** Looking at the clock for each item would cost more than taking it. */
const ITEMS_PER_LOOK = 64;

export class Turns {
  readonly #onTurn: () => void;
  #endsMs = 0;
  #items = 0;
  #isOver = false;

  /** @param onTurn the event loop was heard: go on */
  constructor(onTurn: () => void) {
    this.#onTurn = onTurn;
  }

  /** Take nothing more until `onTurn`. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Counts an item. */
  take(): void {
    this.#items += 1;
    if (this.#items % ITEMS_PER_LOOK !== 0) return;
    const nowMs = performance.now();
    if (this.#endsMs === 0) this.#endsMs = nowMs + TURN_MS;
    else if (nowMs > this.#endsMs) this.#end();
  }

  #end(): void {
    this.#isOver = true;
    setImmediate(() => {
      this.#isOver = false;
      this.#endsMs = performance.now() + TURN_MS;
      this.#onTurn();
    });
  }
}
