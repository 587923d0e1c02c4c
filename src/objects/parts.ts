/** Streams in pieces of any size -> parts of one size, as uploads in parts want them. */

/** 8 MiB: above S3's least (5 MiB), a multiple of Google's 256 KiB, small enough to hold a few. */
export const PART_BYTES = 8 * 1024 * 1024;

/** Yields parts of exactly `PART_BYTES` and a shorter last one; nothing for an empty stream. */
export async function* inParts(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let part = new Uint8Array(PART_BYTES);
  let filled = 0;
  for await (const chunk of body) {
    let offset = 0;
    while (offset < chunk.length) {
      const piece = chunk.subarray(offset, offset + PART_BYTES - filled);
      part.set(piece, filled);
      filled += piece.length;
      offset += piece.length;
      if (filled < PART_BYTES) continue;
      yield part;
      // A new one, since whoever took the last may still be sending it.
      part = new Uint8Array(PART_BYTES);
      filled = 0;
    }
  }
  if (filled > 0) yield part.subarray(0, filled);
}

/** The parts of a stream with the knowledge which is the last, which Google's and simple uploads need. */
export async function* withLast(
  parts: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ readonly part: Uint8Array; readonly isLast: boolean }> {
  let held: Uint8Array | undefined;
  for await (const part of parts) {
    if (held !== undefined) yield { part: held, isLast: false };
    held = part;
  }
  yield { part: held ?? new Uint8Array(0), isLast: true };
}
