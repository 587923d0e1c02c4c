/** The logs of the fake platform's functions: one line when a call starts and one when it ends. */
import { Refusal } from './fake-features.js';

interface Line {
  readonly time: string;
  readonly stream: 'platform';
  readonly message: string;
  readonly call_id: string;
}

const KEEP_ALIVE_MS = 15_000;
export const LOG_RETENTION_LINES = 1000;

export class FakeLogs {
  readonly #lines = new Map<string, Line[]>();
  readonly #followers = new Set<() => void>();

  add(name: string, callId: string, message: string): void {
    const lines = this.#lines.get(name) ?? [];
    this.#lines.set(name, lines);
    lines.push({ time: new Date().toISOString(), stream: 'platform', message, call_id: callId });
    if (lines.length > LOG_RETENTION_LINES) lines.shift();
    for (const wake of this.#followers) wake();
  }

  /**
   * One JSON text a line, oldest first; with `follow` until the reader is gone.
   * @throws {Refusal} before anything is read.
   */
  read(name: string, query: URLSearchParams, gone: AbortSignal): AsyncGenerator<string> {
    const tail = Number(query.get('tail') ?? 100);
    if (!Number.isInteger(tail) || tail < 0 || tail > LOG_RETENTION_LINES) {
      throw new Refusal(400, 'INVALID_REQUEST', `tail must be an integer from 0 to ${LOG_RETENTION_LINES}`);
    }
    return this.#read(name, tail, query, gone);
  }

  async *#read(
    name: string,
    tail: number,
    query: URLSearchParams,
    gone: AbortSignal,
  ): AsyncGenerator<string> {
    const since = query.get('since');
    const callId = query.get('call_id');
    const wanted = ({ time, call_id }: Line) =>
      (since === null || Date.parse(time) >= Date.parse(since)) && (callId === null || call_id === callId);
    const lines = this.#lines.get(name) ?? [];
    const past = lines.filter(wanted);
    for (const line of past.slice(Math.max(0, past.length - tail))) yield `${JSON.stringify(line)}\n`;
    let last = lines.at(-1);
    while (query.get('follow') === 'true' && !gone.aborted) {
      if (!(await this.#change(gone))) yield '\n';
      const current = this.#lines.get(name) ?? [];
      const fresh = current.slice(last === undefined ? 0 : current.indexOf(last) + 1);
      last = current.at(-1);
      for (const line of fresh.filter(wanted)) yield `${JSON.stringify(line)}\n`;
    }
  }

  /** Resolves to false when nothing happened for a while, and the connection wants a sign of life. */
  #change(gone: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => wake(false), KEEP_ALIVE_MS);
      const changed = () => wake(true);
      const wake = (change: boolean) => {
        clearTimeout(timer);
        this.#followers.delete(changed);
        gone.removeEventListener('abort', changed);
        resolve(change);
      };
      this.#followers.add(changed);
      gone.addEventListener('abort', changed, { once: true });
    });
  }
}
