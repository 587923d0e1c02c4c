/** The last log entries of one function, and those who follow them. */
import type { LogEntry, LogOptions } from '../../core/executor.js';

const MOST_ENTRIES = 1000;

export class LogBook {
  readonly #entries: LogEntry[] = [];
  /** How many entries were dropped from the front: positions of readers count from the very first. */
  #dropped = 0;
  #ended = false;
  readonly #wakeUps = new Set<() => void>();

  add(callId: string, message: string): void {
    this.#entries.push({ time: new Date(), message, callId });
    if (this.#entries.length > MOST_ENTRIES) {
      this.#entries.shift();
      this.#dropped += 1;
    }
    this.#wakeAll();
  }

  /** Readers get what is there, followers do not wait for more. */
  end(): void {
    this.#ended = true;
    this.#wakeAll();
  }

  async *read({ since, follow = false, tail, callId, signal }: LogOptions): AsyncGenerator<LogEntry> {
    const wanted = (entry: LogEntry) =>
      (since === undefined || entry.time >= since) && (callId === undefined || entry.callId === callId);
    let position = this.#dropped + this.#entries.length;
    const past = this.#entries.filter(wanted);
    yield* tail === undefined ? past : past.slice(Math.max(0, past.length - tail));

    while (follow && !signal?.aborted) {
      position = Math.max(position, this.#dropped);
      const entry = this.#entries[position - this.#dropped];
      if (entry !== undefined) {
        position += 1;
        if (wanted(entry)) yield entry;
      } else if (this.#ended) return;
      else await this.#next(signal);
    }
  }

  #next(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#wakeUps.delete(wake);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      this.#wakeUps.add(wake);
      signal?.addEventListener('abort', wake, { once: true });
    });
  }

  #wakeAll(): void {
    for (const wake of this.#wakeUps) wake();
  }
}
