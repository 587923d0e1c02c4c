/** Functions that could take no call just now: the queue leaves them alone for a while, ever longer until they take one. */

interface Pause {
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly lengthMs: number;
}

const FIRST_MS = 100;

export class Pauses {
  readonly #byFunction = new Map<string, Pause>();

  isPaused(functionId: string): boolean {
    return (this.#byFunction.get(functionId)?.untilMs ?? 0) > performance.now();
  }

  /** Calls that are refused together make one pause. @returns how long it lasts yet, in milliseconds */
  begin(functionId: string, longestMs: number): number {
    const nowMs = performance.now();
    const before = this.#byFunction.get(functionId);
    if (before !== undefined && before.untilMs > nowMs) return before.untilMs - nowMs;
    const lengthMs = Math.min((before?.lengthMs ?? FIRST_MS / 2) * 2, longestMs);
    const { sinceMs } = before ?? { sinceMs: nowMs };
    this.#byFunction.set(functionId, { sinceMs, lengthMs, untilMs: nowMs + lengthMs });
    return lengthMs;
  }

  /** How long the function has taken no call. */
  ageMs(functionId: string): number {
    const { sinceMs } = this.#byFunction.get(functionId) ?? {};
    return sinceMs === undefined ? 0 : performance.now() - sinceMs;
  }

  /** It has taken a call. */
  end(functionId: string): void {
    this.#byFunction.delete(functionId);
  }
}
