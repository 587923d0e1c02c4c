/**
 * The frames of `application/vnd.amazon.eventstream`: total length, length of the headers, checksum of the two, headers,
 * payload, checksum of all. Smithy specification, "Event stream".
 */
import { crc32 } from 'node:zlib';

export interface StreamEvent {
  /** Only those of type string; others are left out. */
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: Uint8Array;
}

const PRELUDE_BYTES = 12;
const CHECKSUM_BYTES = 4;
/** A payload is at most 16 MiB by the specification, its headers 128 KiB. */
const MAX_FRAME_BYTES = 16 * 1024 * 1024 + 128 * 1024 + PRELUDE_BYTES + CHECKSUM_BYTES;
const TYPE_STRING = 7;
/** Type of a header's value -> its length in bytes. Strings and byte arrays say their own. */
const FIXED_LENGTHS: ReadonlyMap<number, number> = new Map([
  [0, 0], // true
  [1, 0], // false
  [2, 1],
  [3, 2],
  [4, 4],
  [5, 8],
  [8, 8], // time
  [9, 16], // UUID
]);

/**
 * Cuts a stream of bytes into frames, whatever its pieces.
 * @throws {RangeError} for a frame that is malformed, damaged, or cut off
 */
export async function* readEvents(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<StreamEvent> {
  let rest = Buffer.alloc(0);
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    for (
      let length = frameLength(rest);
      length !== undefined && rest.length >= length;
      length = frameLength(rest)
    ) {
      yield readFrame(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
  }
  if (rest.length > 0) throw new RangeError(`The event stream ends ${rest.length} bytes into a frame.`);
}

/** Undefined while the first bytes of the frame are not there. */
function frameLength(bytes: Buffer): number | undefined {
  if (bytes.length < PRELUDE_BYTES) return undefined;
  const length = bytes.readUInt32BE(0);
  if (crc32(bytes.subarray(0, 8)) !== bytes.readUInt32BE(8)) {
    throw new RangeError('The head of a frame of the event stream is damaged.');
  }
  if (length < PRELUDE_BYTES + CHECKSUM_BYTES || length > MAX_FRAME_BYTES) {
    throw new RangeError(`A frame of the event stream says that it has ${length} bytes.`);
  }
  return length;
}

function readFrame(frame: Buffer): StreamEvent {
  const end = frame.length - CHECKSUM_BYTES;
  if (crc32(frame.subarray(0, end)) !== frame.readUInt32BE(end)) {
    throw new RangeError('A frame of the event stream is damaged.');
  }
  const headersEnd = PRELUDE_BYTES + frame.readUInt32BE(4);
  if (headersEnd > end) throw new RangeError('The headers of a frame are longer than the frame.');
  return {
    headers: readHeaders(frame.subarray(PRELUDE_BYTES, headersEnd)),
    payload: frame.subarray(headersEnd, end),
  };
}

/** @throws {RangeError} by Buffer's own checks, for lengths that lead out of the headers */
function readHeaders(bytes: Buffer): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let at = 0; at < bytes.length; ) {
    const nameEnd = at + 1 + bytes.readUInt8(at);
    const name = bytes.toString('utf8', at + 1, nameEnd);
    const type = bytes.readUInt8(nameEnd);
    const fixed = FIXED_LENGTHS.get(type);
    const start = nameEnd + (fixed === undefined ? 3 : 1);
    const length = fixed ?? bytes.readUInt16BE(nameEnd + 1);
    if (start + length > bytes.length)
      throw new RangeError('A header of a frame is longer than its headers.');
    if (type === TYPE_STRING) headers[name] = bytes.toString('utf8', start, start + length);
    at = start + length;
  }
  return headers;
}
