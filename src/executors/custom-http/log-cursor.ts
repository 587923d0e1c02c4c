/** Where a reader of a log stands, so that it can go on after a broken connection without a gap and without repeats. */
import type { LogEntry, LogOptions } from '../../core/executor.js';
import { parseObject } from './wire.js';

export class LogCursor {
  readonly #options: LogOptions;
  readonly #mostLines: number | undefined;
  /** The newest millisecond that was seen, and how often each line of it was. */
  #atMs: number | undefined;
  #linesAt = new Map<string, number>();
  /** After a reconnect: lines of that millisecond that come again. */
  #repeats: Map<string, number> | undefined;

  /** @param mostLines how many lines the platform keeps, where it says so */
  constructor(options: LogOptions, mostLines: number | undefined) {
    this.#options = options;
    this.#mostLines = mostLines;
  }

  /** The query of the next connection: what was asked for or, later, everything from the last entry on. */
  query(): string {
    const { since, tail, callId, follow } = this.#options;
    const query = new URLSearchParams();
    const lines = this.#atMs === undefined ? (tail ?? this.#mostLines) : this.#mostLines;
    if (lines !== undefined) query.set('tail', String(Math.min(lines, this.#mostLines ?? Infinity)));
    const fromMs = this.#atMs ?? since?.getTime();
    if (fromMs !== undefined) query.set('since', new Date(fromMs).toISOString());
    if (callId !== undefined) query.set('call_id', callId);
    if (follow === true) query.set('follow', 'true');
    this.#repeats = this.#atMs === undefined ? undefined : new Map(this.#linesAt);
    return query.size === 0 ? '' : `?${query}`;
  }

  /** The entry of a line; undefined when it was given before, or is none. */
  take(line: string): LogEntry | undefined {
    const fields = parseObject(line);
    const { time, message, call_id: callId, stream, truncated } = fields ?? {};
    const timeMs = typeof time === 'string' ? Date.parse(time) : Number.NaN;
    if (Number.isNaN(timeMs) || typeof message !== 'string') return undefined;
    if (this.#isRepeat(line, timeMs)) return undefined;
    this.#note(line, timeMs);
    return {
      time: new Date(timeMs),
      message,
      ...(typeof callId === 'string' ? { callId } : {}),
      ...(stream === 'stdout' || stream === 'stderr' || stream === 'platform' ? { stream } : {}),
      ...(truncated === true ? { truncated } : {}),
    };
  }

  #isRepeat(line: string, timeMs: number): boolean {
    if (this.#repeats === undefined || this.#atMs === undefined) return false;
    if (timeMs < this.#atMs) return true;
    const left = timeMs === this.#atMs ? (this.#repeats.get(line) ?? 0) : 0;
    if (left > 0) this.#repeats.set(line, left - 1);
    // The first newer line ends what can be a repeat.
    if (timeMs > this.#atMs) this.#repeats = undefined;
    return left > 0;
  }

  #note(line: string, timeMs: number): void {
    if (this.#atMs === undefined || timeMs > this.#atMs) {
      this.#atMs = timeMs;
      this.#linesAt = new Map();
    }
    if (timeMs === this.#atMs) this.#linesAt.set(line, (this.#linesAt.get(line) ?? 0) + 1);
  }
}
