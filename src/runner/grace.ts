/** The one period that a stopping runner gives to all that still runs: jobs, consumers, producers, then services. */
import { TimeLimit } from './time-limit.js';

export class GracePeriod {
  readonly #over = Promise.withResolvers<void>();
  readonly #limit = new TimeLimit(() => this.#over.resolve());
  #endsAtMs: number | undefined;

  /** Resolves when the period is over; never when the work ended before. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Starts it; when it runs already, this can only shorten it. */
  start(graceMs: number): void {
    const endsAtMs = performance.now() + graceMs;
    if (this.#endsAtMs !== undefined && endsAtMs >= this.#endsAtMs) return;
    this.#endsAtMs = endsAtMs;
    this.#limit.start(graceMs);
  }

  /** The work has ended: nothing keeps the process alive for the rest of the period. */
  end(): void {
    this.#limit.stop();
  }
}

/** True for the error of something that was told by `signal` to stop, and did. */
export function stoppedAsTold(error: unknown, signal: AbortSignal): boolean {
  // What Node's own waits throw has the reason as its cause.
  return signal.aborted && (error === signal.reason || (error as Error | undefined)?.name === 'AbortError');
}
