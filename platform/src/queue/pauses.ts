/** Functions that could take no call just now: the queue leaves them alone for a while, ever longer until they take one. */

interface Pause {
  readonly untilMs: number;
  readonly lengthMs: number;
}

const FIRST_MS = 100;
/** A refusal so long ago says nothing about now: its call may have left the line without another try. */
const STALE_MS = 60_000;

export class Pauses {
  readonly #byFunction = new Map<string, Pause>();

  isPaused(functionId: string): boolean {
    return (this.#byFunction.get(functionId)?.untilMs ?? 0) > performance.now();
  }

  /** Calls that are refused together make one pause. @returns how long it lasts yet, in milliseconds */
  begin(functionId: string, longestMs: number): number {
    const nowMs = performance.now();
    const { untilMs = 0, lengthMs: lastMs = 0 } = this.#byFunction.get(functionId) ?? {};
    if (untilMs > nowMs) return untilMs - nowMs;
    const isStale = nowMs - untilMs > STALE_MS;
    const lengthMs = Math.min(isStale ? FIRST_MS : Math.max(FIRST_MS, 2 * lastMs), longestMs);
    this.#byFunction.set(functionId, { lengthMs, untilMs: nowMs + lengthMs });
    return lengthMs;
  }

  /** It has taken a call. */
  end(functionId: string): void {
    this.#byFunction.delete(functionId);
  }
}
