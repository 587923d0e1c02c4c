/**
 * Bytes as a JSON array of integers 0-255, the encoding of the custom-FaaS spec 1.0. These loops write and read the
 * digits themselves: JSON.stringify and JSON.parse would need an array of numbers in between.
 */

/** The longest an element can be: three digits and a comma. */
const MAX_ELEMENT_BYTES = 4;

/** For each value its digits and a comma as one little-endian word, and how many bytes of it count. */
const WORDS = new Uint32Array(256);
const WORD_BYTES = new Uint8Array(256);
for (let value = 0; value < 256; value++) {
  const text = Buffer.from(`${value},`);
  WORDS[value] = text.readUIntLE(0, text.length);
  WORD_BYTES[value] = text.length;
}

/**
 * Writes `[1,2,255]` into `out` at `offset` and returns the offset after it. `out` must have room: the array's bytes
 * may be followed by up to two that mean nothing.
 */
export function writeByteArray(out: Uint8Array, offset: number, bytes: Uint8Array): number {
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength);
  let at = offset;
  out[at++] = 0x5b; // [
  for (let index = 0; index < bytes.length; index++) {
    const value = bytes[index] as number;
    // Always a whole word: the next element overwrites what is too much, and no branch is mispredicted.
    view.setUint32(at, WORDS[value] as number, true);
    at += WORD_BYTES[value] as number;
  }
  if (bytes.length > 0) at--; // the last comma
  out[at++] = 0x5d; // ]
  return at;
}

/** The most bytes `writeByteArray` needs for `length` elements. */
export function byteArrayRoom(length: number): number {
  return 2 + length * MAX_ELEMENT_BYTES;
}

/** The array as a text of its own. */
export function encodeByteArray(bytes: Uint8Array): Buffer {
  const text = Buffer.allocUnsafe(byteArrayRoom(bytes.length));
  return text.subarray(0, writeByteArray(text, 0, bytes));
}

/** Elements are collected here and copied out, so that a result owns no more memory than it needs. */
const SCRATCH = new Uint8Array(64 * 1024);

/**
 * Reads the array that begins at `text[offset]`: its bytes, and the offset after it. Undefined for anything but plain
 * integers 0..255, which leaves the odd but legal (`1e2`, `7.0`) and the illegal to JSON.parse.
 */
export function readByteArray(
  text: Uint8Array,
  offset: number,
): { bytes: Uint8Array; end: number } | undefined {
  if (text[offset] !== 0x5b) return undefined; // [
  // An element takes two bytes at least.
  const maxElements = (text.length - offset) >> 1;
  const out = maxElements <= SCRATCH.length ? SCRATCH : new Uint8Array(maxElements);
  let at = skipSpace(text, offset + 1);
  if (text[at] === 0x5d) return { bytes: new Uint8Array(0), end: at + 1 };
  let count = 0;
  for (;;) {
    // Past the end `text` gives undefined, which is no digit and no mark.
    let value = (text[at] as number) - 0x30;
    if (!isDigit(value)) return undefined;
    let mark = text[++at] as number;
    if (isDigit(mark - 0x30)) {
      if (value === 0) return undefined; // 07 is no JSON
      value = value * 10 + mark - 0x30;
      mark = text[++at] as number;
      if (isDigit(mark - 0x30)) {
        value = value * 10 + mark - 0x30;
        mark = text[++at] as number;
        if (value > 255) return undefined;
      }
    }
    out[count++] = value;
    if (mark !== 0x2c && mark !== 0x5d) {
      at = skipSpace(text, at);
      mark = text[at] as number;
    }
    if (mark === 0x5d) return { bytes: out.slice(0, count), end: at + 1 }; // ]
    if (mark !== 0x2c) return undefined; // ,
    at++;
    if ((text[at] as number) <= 0x20) at = skipSpace(text, at);
  }
}

/** The offset of the first byte at or after `at` that is no JSON white space. */
export function skipSpace(text: Uint8Array, at: number): number {
  for (;;) {
    const byte = text[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at;
    at++;
  }
}

function isDigit(value: number): boolean {
  return value >= 0 && value <= 9;
}
