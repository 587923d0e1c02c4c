/**
 * Bytes travel as JSON arrays of integers 0-255. JSON.parse makes a boxed array of such a field, several times
 * the size of the message, so the array is scanned byte by byte here and JSON.parse sees only what is left.
 * Whatever is written in an unusual way (1e1, 10.0, escaped keys, a field given twice) goes to JSON.parse whole.
 */

import { randomUUID } from 'node:crypto';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const ZERO = 0x30;
/** Stands where the array was; no message can hold it by chance or by will. */
const PLACEHOLDER = randomUUID();
const PLACEHOLDER_TEXT = Buffer.from(JSON.stringify(PLACEHOLDER));
const TEXT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface DecodedObject {
  /** Every field but the bytes. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** `absent`: no such field. `invalid`: there, but not an array of integers 0-255. */
  readonly bytes: Uint8Array | 'absent' | 'invalid';
}

/**
 * Parses a JSON object one of whose fields holds bytes.
 * @throws SyntaxError when it is not JSON, not UTF-8 or not an object
 */
export function decodeObjectWithBytes(json: Buffer, field: string): DecodedObject {
  return decodeQuickly(json, field) ?? decodeWholly(json, field);
}

function decodeQuickly(json: Buffer, field: string): DecodedObject | undefined {
  const start = findArray(json, field);
  if (start === undefined) return undefined;
  const array = scanByteArray(json, start);
  if (array === undefined) return undefined;
  const rest = Buffer.concat([json.subarray(0, start), PLACEHOLDER_TEXT, json.subarray(array.end)]);
  const value = parseObject(rest);
  // A later field of the same name wins in JSON.parse, so it must decide here too.
  if (value[field] !== PLACEHOLDER) return undefined;
  return { fields: without(value, field), bytes: array.bytes };
}

function decodeWholly(json: Buffer, field: string): DecodedObject {
  const value = parseObject(json);
  return {
    fields: without(value, field),
    bytes: Object.hasOwn(value, field) ? toBytes(value[field]) : 'absent',
  };
}

function parseObject(json: Buffer): Record<string, unknown> {
  let text: string;
  try {
    text = TEXT.decode(json);
  } catch {
    throw new SyntaxError('not UTF-8');
  }
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new SyntaxError('not an object');
  return value as Record<string, unknown>;
}

function without(value: Record<string, unknown>, field: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([name]) => name !== field));
}

function toBytes(value: unknown): Uint8Array | 'invalid' {
  if (!Array.isArray(value)) return 'invalid';
  const isByte = (item: unknown): boolean =>
    Number.isInteger(item) && Number(item) >= 0 && Number(item) <= 255;
  return value.every(isByte) ? Uint8Array.from(value) : 'invalid';
}

/** Where the array of the top-level field begins; depth and strings are followed, the rest is JSON.parse's work. */
function findArray(json: Buffer, field: string): number | undefined {
  const key = Buffer.from(JSON.stringify(field));
  let depth = 0;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === 0x7b || byte === 0x5b) depth++;
    else if (byte === 0x7d || byte === 0x5d) depth--;
    else if (byte === QUOTE) {
      const end = endOfString(json, at);
      if (depth === 1 && end - at === key.length && key.equals(json.subarray(at, end))) {
        const colon = skipSpace(json, end);
        const value = skipSpace(json, colon + 1);
        if (json[colon] === COLON && json[value] === 0x5b) return value;
      }
      at = end - 1;
    }
  }
  return undefined;
}

function endOfString(json: Buffer, quote: number): number {
  let at = quote + 1;
  while (at < json.length && json[at] !== QUOTE) at += json[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

function skipSpace(json: Buffer, from: number): number {
  let at = from;
  while (json[at] === 0x20 || json[at] === 0x0a || json[at] === 0x0d || json[at] === 0x09) at++;
  return at;
}

/** Reads `[1,2,3]` from its bracket on; undefined for anything but plain integers 0-255. */
function scanByteArray(json: Buffer, start: number): { bytes: Uint8Array; end: number } | undefined {
  let at = skipSpace(json, start + 1);
  if (json[at] === 0x5d) return { bytes: new Uint8Array(0), end: at + 1 };
  // Each element takes at least two characters of text ("0,"), so this is always room enough.
  const bytes = new Uint8Array((json.length - at + 1) >> 1);
  for (let count = 0; ; ) {
    const first = at;
    let value = 0;
    for (let digit = digitAt(json, at); digit >= 0 && at - first < 3; digit = digitAt(json, ++at)) {
      value = value * 10 + digit;
    }
    const leadingZero = at - first > 1 && json[first] === ZERO;
    if (at === first || value > 255 || leadingZero) return undefined;
    bytes[count++] = value;
    at = skipSpace(json, at);
    if (json[at] === 0x5d) return { bytes: bytes.slice(0, count), end: at + 1 };
    if (json[at] !== COMMA) return undefined;
    at = skipSpace(json, at + 1);
  }
}

function digitAt(json: Buffer, at: number): number {
  const digit = (json[at] ?? 0) - ZERO;
  return digit >= 0 && digit <= 9 ? digit : -1;
}

/** Writes bytes as a JSON array, the opposite of the scanner. */
export function encodeByteArray(bytes: Uint8Array): Buffer {
  const json = Buffer.allocUnsafe(bytes.length * 4 + 2);
  let at = 0;
  json[at++] = 0x5b;
  for (const byte of bytes) {
    if (at > 1) json[at++] = COMMA;
    if (byte >= 100) json[at++] = ZERO + Math.trunc(byte / 100);
    if (byte >= 10) json[at++] = ZERO + (Math.trunc(byte / 10) % 10);
    json[at++] = ZERO + (byte % 10);
  }
  json[at++] = 0x5d;
  return json.subarray(0, at);
}

/** `{...fields, [field]: bytes}` as JSON text. */
export function encodeObjectWithBytes(fields: object, field: string, bytes: Uint8Array): Buffer {
  const head = JSON.stringify(fields).slice(0, -1);
  const comma = head.length > 1 ? ',' : '';
  return Buffer.concat([
    Buffer.from(`${head}${comma}${JSON.stringify(field)}:`),
    encodeByteArray(bytes),
    Buffer.from('}'),
  ]);
}
