/** What a child prints: stdout whole up to a cap, stderr as a tail. */

import type { Readable } from 'node:stream';

/** More than this a second stays in the pipe, and who prints it waits: reading is work for everybody's event loop. */
const BYTES_PER_SEC = 8 * 1024 * 1024;
const PAUSE_MS = 100;

export class CappedOutput {
  readonly #chunks: Buffer[] = [];
  readonly #maxBytes: number;
  #bytes = 0;

  /** @param onOverflow called once, when more than `maxBytes` arrived; nothing more is kept then */
  constructor(stream: Readable, maxBytes: number, onOverflow: () => void) {
    this.#maxBytes = maxBytes;
    stream.on('data', (chunk: Buffer) => {
      const fitted = this.#bytes <= maxBytes;
      this.#bytes += chunk.length;
      if (this.#bytes <= maxBytes) this.#chunks.push(chunk);
      else if (fitted) {
        this.#chunks.length = 0;
        onOverflow();
      }
    });
    stream.on('error', () => {});
  }

  get hasOverflown(): boolean {
    return this.#bytes > this.#maxBytes;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

export class OutputTail {
  readonly #maxBytes: number;
  readonly #stream: Readable;
  #tail: Buffer = Buffer.alloc(0);

  constructor(stream: Readable, maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => {
      const isWhole = this.#tail.length === 0 || chunk.length >= maxBytes;
      const all = isWhole ? chunk : Buffer.concat([this.#tail, chunk]);
      this.#tail = all.length > maxBytes ? Buffer.from(all.subarray(-maxBytes)) : all;
    });
    stream.on('error', () => {});
    limitRate(stream);
  }

  /** Hands over what there is and all that follows. */
  forward(listener: (chunk: Buffer) => void): void {
    if (this.#tail.length > 0) listener(this.#tail);
    this.#stream.on('data', listener);
  }

  /** The last bytes as text; a character cut in two at the front is shown as U+FFFD. */
  text(maxBytes = this.#maxBytes): string {
    return this.#tail.subarray(-maxBytes).toString('utf8');
  }
}

/** Above the rate whoever prints waits; a burst of a second's worth passes at once. */
export function limitRate(stream: Readable): void {
  let left = BYTES_PER_SEC;
  let countedAt = performance.now();
  stream.on('data', (chunk: Buffer) => {
    const now = performance.now();
    left = Math.min(BYTES_PER_SEC, left + ((now - countedAt) / 1000) * BYTES_PER_SEC) - chunk.length;
    countedAt = now;
    if (left >= 0 || stream.isPaused()) return;
    stream.pause();
    setTimeout(() => stream.resume(), PAUSE_MS).unref();
  });
}
