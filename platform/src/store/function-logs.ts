/** What functions print, and what the platform has to say about them: the newest lines of each, in memory. */

import { LogLines, MAX_LINE_BYTES, MAX_LINES_PER_SEC } from './log-lines.js';

/** Of one function's lines together; the oldest go first. */
const MAX_BYTES_PER_FUNCTION = 4 * 1024 * 1024;

export interface LogEntry {
  readonly time: string;
  readonly stream: 'stdout' | 'stderr' | 'platform';
  readonly message: string;
  readonly callId?: string;
  /** Which of its instances said it, where there is more than one. */
  readonly instance?: string;
  readonly truncated?: true;
}

export interface LogFilter {
  /** Epoch ms; only what is newer or as old. */
  readonly sinceMs?: number;
  readonly callId?: string;
}

type Whose = Pick<LogEntry, 'callId' | 'instance'>;

/** Takes what is printed in pieces of any size; `end` brings out a last line without its line end. */
export interface LineWriter {
  readonly write: (chunk: Buffer) => void;
  readonly end: () => void;
}

export interface CallLog {
  readonly stderr: LineWriter;
  /** A line of the platform's own about the call. */
  note(message: string): void;
}

type Follower = (entry: LogEntry) => void;

/** The lines of one deployment: what was deleted goes on writing into its own book, which nobody reads any more. */
interface Book {
  readonly entries: LogEntry[];
  bytes: number;
  readonly followers: Set<Follower>;
}

export class FunctionLogs {
  readonly #maxLines: number;
  readonly #books = new Map<string, Book>();

  constructor(maxLines: number) {
    this.#maxLines = maxLines;
  }

  /** For one call of the function as it is deployed now. */
  ofCall(functionId: string, callId: string): CallLog {
    const book = this.#bookOf(functionId);
    return {
      stderr: this.#writer(book, 'stderr', { callId }),
      note: (message) => this.#add(book, toEntry('platform', message, { callId })),
    };
  }

  /** For what an instance prints, whichever call it is for. */
  instanceLines(functionId: string, stream: 'stdout' | 'stderr', instance: string): LineWriter {
    return this.#writer(this.#bookOf(functionId), stream, { instance });
  }

  #writer(book: Book, stream: LogEntry['stream'], whose: Whose): LineWriter {
    const lines = new LogLines(
      (line) => this.#add(book, toEntry(stream, line, whose)),
      (count) => this.#add(book, toEntry('platform', droppedText(count), whose)),
    );
    return { write: (chunk) => lines.write(chunk), end: () => lines.end() };
  }

  /** A line of the platform's own. */
  note(functionId: string, message: string): void {
    this.#add(this.#bookOf(functionId), toEntry('platform', message, {}));
  }

  /** The newest lines that pass the filter, oldest first. */
  tail(functionId: string, count: number, filter: LogFilter): LogEntry[] {
    const entries = this.#books.get(functionId)?.entries ?? [];
    return count === 0 ? [] : entries.filter((entry) => passes(entry, filter)).slice(-count);
  }

  /** Hears every line from now on; call what is returned to stop. */
  follow(functionId: string, listener: Follower): () => void {
    this.#bookOf(functionId).followers.add(listener);
    return () => this.#books.get(functionId)?.followers.delete(listener);
  }

  /** Those who follow go on; a function of the same name may come back. */
  forget(functionId: string): void {
    const followers = this.#books.get(functionId)?.followers;
    this.#books.delete(functionId);
    if (followers === undefined || followers.size === 0) return;
    for (const follower of followers) this.#bookOf(functionId).followers.add(follower);
    followers.clear();
  }

  #add(book: Book, entry: LogEntry): void {
    book.entries.push(entry);
    book.bytes += entry.message.length;
    while (book.entries.length > this.#maxLines || book.bytes > MAX_BYTES_PER_FUNCTION)
      book.bytes -= book.entries.shift()?.message.length ?? 0;
    for (const follower of book.followers) follower(entry);
  }

  #bookOf(functionId: string): Book {
    let book = this.#books.get(functionId);
    if (book === undefined) {
      book = { entries: [], bytes: 0, followers: new Set() };
      this.#books.set(functionId, book);
    }
    return book;
  }
}

export function passes(entry: LogEntry, { sinceMs, callId }: LogFilter): boolean {
  if (callId !== undefined && entry.callId !== callId) return false;
  return sinceMs === undefined || Date.parse(entry.time) >= sinceMs;
}

function droppedText(count: number): string {
  return `${count} lines dropped, since more than ${MAX_LINES_PER_SEC} lines or 1 MiB were printed in a second`;
}

function toEntry(stream: LogEntry['stream'], line: string, whose: Whose): LogEntry {
  const text = line.endsWith('\r') ? line.slice(0, -1) : line;
  const bytes = Buffer.from(text);
  const isLong = bytes.length > MAX_LINE_BYTES;
  return {
    time: new Date().toISOString(),
    stream,
    // A character cut in two at the end becomes U+FFFD.
    message: isLong ? bytes.subarray(0, MAX_LINE_BYTES).toString('utf8') : text,
    ...whose,
    ...(isLong && { truncated: true as const }),
  };
}
