/**
 * What a process prints, cut into lines, and no more of them each second than a log is worth. A process may print a
 * gigabyte a second; what is above the budget is counted, and only the newest of it comes out: it most often says why.
 */

import { StringDecoder } from 'node:string_decoder';

/** A longer line is cut here (specification 1.1). */
export const MAX_LINE_BYTES = 16 * 1024;
/** Of one call, or one stream of an instance. */
export const MAX_LINES_PER_SEC = 1000;
const MAX_CHARS_PER_SEC = 1024 * 1024;
/** What comes out all the same of the lines above the budget. */
const NEWEST_LINES = 500;
const NEWEST_CHARS = 128 * 1024;

const WINDOW_MS = 1000;
const LINE_FEED = 0x0a;

export class LogLines {
  readonly #onLine: (line: string) => void;
  readonly #onDropped: (count: number) => void;
  readonly #decoder = new StringDecoder('utf8');
  /** What has not come out: the begin of a line and, when the budget is spent, the lines before it. */
  #text = '';
  /** The rest of a line that was cut is dropped, not shown as a line of its own. */
  #isCut = false;
  #dropped = 0;
  #linesLeft = 0;
  #charsLeft = 0;
  #windowEndsAt = 0;
  #nextWindow: NodeJS.Timeout | undefined;

  constructor(onLine: (line: string) => void, onDropped: (count: number) => void) {
    this.#onLine = onLine;
    this.#onDropped = onDropped;
  }

  /** Takes pieces of any size. */
  write(chunk: Buffer): void {
    this.#append(this.#decoder.write(chunk));
    if (performance.now() >= this.#windowEndsAt) this.#openWindow();
    else this.#release();
  }

  /** Brings out what waits, and a last line without its line end. */
  end(): void {
    this.#append(this.#decoder.end());
    if (this.#text !== '' && !this.#text.endsWith('\n')) this.#text += '\n';
    this.#keepNewest(MAX_LINES_PER_SEC);
    this.#openWindow();
  }

  #append(text: string): void {
    const from = this.#isCut ? text.indexOf('\n') + 1 : 0;
    if (this.#isCut && from === 0) return;
    this.#isCut = false;
    this.#text += from === 0 ? text : text.slice(from);
    const lastLine = this.#text.lastIndexOf('\n') + 1;
    if (this.#text.length - lastLine <= MAX_LINE_BYTES) return;
    // One character more than fits, so that whoever shows the line sees that it was longer.
    this.#text = `${this.#text.slice(0, lastLine + MAX_LINE_BYTES + 1)}\n`;
    this.#isCut = true;
  }

  #openWindow(): void {
    clearTimeout(this.#nextWindow);
    this.#nextWindow = undefined;
    this.#windowEndsAt = performance.now() + WINDOW_MS;
    this.#linesLeft = MAX_LINES_PER_SEC;
    this.#charsLeft = MAX_CHARS_PER_SEC;
    if (this.#dropped > 0) this.#keepNewest(NEWEST_LINES);
    if (this.#dropped > 0) this.#onDropped(this.#dropped);
    this.#dropped = 0;
    this.#release();
  }

  /** Brings out complete lines while the budget lasts. */
  #release(): void {
    let at = 0;
    while (this.#linesLeft > 0 && this.#charsLeft > 0) {
      const end = this.#text.indexOf('\n', at);
      if (end === -1) break;
      this.#linesLeft--;
      this.#charsLeft -= end - at;
      this.#onLine(this.#text.slice(at, end));
      at = end + 1;
    }
    this.#text = this.#text.slice(at);
    if (!this.#text.includes('\n')) return;
    if (this.#text.length > 2 * NEWEST_CHARS) this.#keepNewest(Number.POSITIVE_INFINITY);
    this.#wakeAtNextWindow();
  }

  /** Drops what is older than the newest lines, and counts it. */
  #keepNewest(maxLines: number): void {
    let from =
      this.#text.length <= NEWEST_CHARS
        ? 0
        : this.#text.indexOf('\n', -1 - NEWEST_CHARS + this.#text.length) + 1;
    for (let lines = countLines(this.#text, from); lines > maxLines; lines--)
      from = this.#text.indexOf('\n', from) + 1;
    this.#dropped += countLines(this.#text, 0, from);
    this.#text = this.#text.slice(from);
  }

  /** Lines that wait must not wait for the next one. */
  #wakeAtNextWindow(): void {
    const inMs = this.#windowEndsAt - performance.now();
    this.#nextWindow ??= setTimeout(() => this.#openWindow(), inMs).unref();
  }
}

function countLines(text: string, from: number, to = text.length): number {
  let count = 0;
  for (let at = from; at < to; at++) if (text.charCodeAt(at) === LINE_FEED) count++;
  return count;
}
