/** How a run ends: its phases, and the one period that a stop leaves for all that still runs. */
import { TimeLimit } from './time-limit.js';

/**
 * What a runner is at:
 * - `idle`: `run()` was not called.
 * - `running`: takes items.
 * - `draining`: `stop()` was called; what was accepted is finished and delivered, and the producers end.
 * - `closing`: all is delivered; the services end.
 * - `over`: shutdown handlers run, or have run. Nothing is left that `stop()` could end.
 */
export type Phase = 'idle' | 'running' | 'draining' | 'closing' | 'over';

/** For jobs, consumers and producers, then services. */
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
