/** What functions print, and what the platform has to say about them: the newest lines of each, in memory. */

import { StringDecoder } from 'node:string_decoder';

/** A longer line is cut here (specification 1.1). */
export const MAX_LINE_BYTES = 16 * 1024;
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

export interface LineWriter {
  write(chunk: Buffer): void;
  end(): void;
}

interface Book {
  entries: LogEntry[];
  bytes: number;
  readonly followers: Set<(entry: LogEntry) => void>;
}

export class FunctionLogs {
  readonly #maxLines: number;
  readonly #books = new Map<string, Book>();

  constructor(maxLines: number) {
    this.#maxLines = maxLines;
  }

  /** Takes the stderr of one call in pieces of any size; `end` brings out a last line without its line end. */
  stderrOf(functionId: string, callId: string): LineWriter {
    return this.#lines(functionId, 'stderr', { callId });
  }

  /** The same for what an instance prints, whichever call it is for. */
  instanceLines(functionId: string, stream: 'stdout' | 'stderr', instance: string): LineWriter {
    return this.#lines(functionId, stream, { instance });
  }

  #lines(functionId: string, stream: LogEntry['stream'], whose: Whose): LineWriter {
    const decoder = new StringDecoder('utf8');
    let rest = '';
    let isCut = false;
    const put = (line: string): void => {
      // The rest of a line that was cut is dropped, not shown as a line of its own.
      if (!isCut) this.#add(functionId, toEntry(stream, line, whose));
      isCut = false;
    };
    return {
      write: (chunk) => {
        const lines = (rest + decoder.write(chunk)).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) put(line);
        if (Buffer.byteLength(rest) > MAX_LINE_BYTES) {
          put(rest);
          isCut = true;
          rest = '';
        }
      },
      end: () => {
        rest += decoder.end();
        if (rest !== '') put(rest);
        rest = '';
      },
    };
  }

  /** A line of the platform's own. */
  note(functionId: string, message: string, callId?: string): void {
    this.#add(functionId, toEntry('platform', message, callId === undefined ? {} : { callId }));
  }

  /** The newest lines that pass the filter, oldest first. */
  tail(functionId: string, count: number, filter: LogFilter): LogEntry[] {
    const entries = this.#books.get(functionId)?.entries ?? [];
    return count === 0 ? [] : entries.filter((entry) => passes(entry, filter)).slice(-count);
  }

  /** Hears every line from now on; call what is returned to stop. */
  follow(functionId: string, listener: (entry: LogEntry) => void): () => void {
    const { followers } = this.#bookOf(functionId);
    followers.add(listener);
    return () => followers.delete(listener);
  }

  /** Those who follow go on; a function of the same name may come back. */
  forget(functionId: string): void {
    const book = this.#books.get(functionId);
    if (book === undefined) return;
    book.entries = [];
    book.bytes = 0;
    if (book.followers.size === 0) this.#books.delete(functionId);
  }

  #add(functionId: string, entry: LogEntry): void {
    const book = this.#bookOf(functionId);
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
