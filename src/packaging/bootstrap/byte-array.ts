/**
 * Bytes as the wire writes them: a JSON array of integers 0-255. JSON.parse makes a JavaScript array of a million
 * numbers of a megabyte, so the common shape is read and written by hand.
 */

const COMMA = 0x2c;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const ZERO = 0x30;

/** `[1,2,3]` as text in a buffer. */
export function encodeByteArray(bytes: Uint8Array): Buffer {
  const text = Buffer.allocUnsafe(2 + 4 * bytes.length);
  let at = 0;
  text[at++] = OPEN;
  for (let i = 0; i < bytes.length; i++) {
    const value = bytes[i] as number;
    if (i > 0) text[at++] = COMMA;
    if (value >= 100) text[at++] = ZERO + ((value / 100) | 0);
    if (value >= 10) text[at++] = ZERO + (((value / 10) | 0) % 10);
    text[at++] = ZERO + (value % 10);
  }
  text[at++] = CLOSE;
  return text.subarray(0, at);
}

/**
 * Reads the array that starts at `start` (its `[`): the bytes, and where the text goes on. Undefined for anything
 * but plain integers 0-255 without white space; a JSON parser must then decide.
 */
export function scanByteArray(
  text: Uint8Array,
  start: number,
): { bytes: Uint8Array; end: number } | undefined {
  if (text[start] !== OPEN) return undefined;
  let at = start + 1;
  if (text[at] === CLOSE) return { bytes: new Uint8Array(0), end: at + 1 };
  // Every number takes at least one digit and a separator.
  const bytes = new Uint8Array((text.length - at) >> 1);
  for (let length = 0; ; ) {
    let value = 0;
    const first = at;
    for (let digit = (text[at] ?? 0) - ZERO; digit >= 0 && digit <= 9; digit = (text[++at] ?? 0) - ZERO) {
      value = value * 10 + digit;
    }
    const digits = at - first;
    if (digits === 0 || digits > 3 || value > 255 || (digits > 1 && text[first] === ZERO)) return undefined;
    bytes[length++] = value;
    const separator = text[at++];
    // A copy, so that a small array does not keep a buffer of the size of the whole text.
    if (separator === CLOSE) return { bytes: bytes.slice(0, length), end: at };
    if (separator !== COMMA) return undefined;
  }
}
