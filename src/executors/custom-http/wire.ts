/** The bodies of an invoke: `{"job_id":7,"args":[…]}` out, `{"result":[…],…}` back. */
import { byteArrayRoom, readByteArray, skipSpace, writeByteArray } from '../../core/byte-array-json.js';
import type { JobId } from '../../core/job.js';

/** The body of an invoke request. */
export function encodeCall(jobId: JobId, args: Uint8Array): Buffer {
  const head = `{"job_id":${jobId},"args":`;
  const body = Buffer.allocUnsafe(head.length + byteArrayRoom(args.length) + 1);
  let end = body.write(head, 'latin1');
  end = writeByteArray(body, end, args);
  body[end++] = 0x7d; // }
  return body.subarray(0, end);
}

/** A reply taken apart. */
interface InvokeReply {
  /** Every other field; what stands under `result` here has no meaning. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Undefined when `result` is missing or is no array of integers 0..255. */
  readonly result: Uint8Array | undefined;
}

/** Reads any JSON object; undefined when `body` is none. */
export function decodeReply(body: Buffer): InvokeReply | undefined {
  const found = findResult(body);
  if (found === undefined) return decodeSlowly(body);
  // The array is cut out, so that JSON.parse sees a text of a hundred bytes however long the result is.
  const rest = `${body.toString('utf8', 0, found.start)}0${body.toString('utf8', found.end)}`;
  const fields = parseObject(rest);
  return fields === undefined ? undefined : { fields, result: found.bytes };
}

function decodeSlowly(body: Buffer): InvokeReply | undefined {
  const fields = parseObject(body.toString('utf8'));
  if (fields === undefined) return undefined;
  const { result } = fields;
  return { fields, result: isByteArray(result) ? Uint8Array.from(result) : undefined };
}

/** The object a JSON text holds; undefined when it holds something else or is no JSON. */
export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isByteArray(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.every((item) => typeof item === 'number' && Number.isInteger(item) && item >= 0 && item <= 255)
  );
}

interface FoundResult {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/**
 * Finds the one `result` array among the keys of the outermost object. Undefined for every shape that needs a
 * real parser: no such key, two of them, keys with escapes, another value than a plain array.
 */
function findResult(text: Buffer): FoundResult | undefined {
  let found: FoundResult | undefined;
  let at = skipSpace(text, 0);
  if (text[at] !== 0x7b) return undefined; // {
  for (;;) {
    at = skipSpace(text, at + 1);
    if (text[at] !== 0x22) return undefined; // "
    const key = at + 1;
    const keyEnd = text.indexOf(0x22, key);
    if (keyEnd < 0 || hasEscape(text, key, keyEnd)) return undefined;
    at = skipSpace(text, keyEnd + 1);
    if (text[at] !== 0x3a) return undefined; // :
    at = skipSpace(text, at + 1);
    if (isResult(text, key, keyEnd)) {
      if (found !== undefined) return undefined;
      const array = readByteArray(text, at);
      if (array === undefined) return undefined;
      found = { bytes: array.bytes, start: at, end: array.end };
      at = array.end;
    } else {
      at = skipValue(text, at);
    }
    at = skipSpace(text, at);
    if (text[at] === 0x7d) return found; // }
    if (text[at] !== 0x2c) return undefined; // ,
  }
}

const RESULT_KEY = Buffer.from('result');

function isResult(text: Buffer, start: number, end: number): boolean {
  return end - start === RESULT_KEY.length && RESULT_KEY.compare(text, start, end) === 0;
}

function hasEscape(text: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (text[at] === 0x5c) return true; // \
  return false;
}

/** The offset after the value at `at`. What it skips is checked later, by JSON.parse. */
function skipValue(text: Buffer, at: number): number {
  let depth = 0;
  for (; at < text.length; at++) {
    switch (text[at]) {
      case 0x22: // "
        at = stringEnd(text, at);
        break;
      case 0x5b: // [
      case 0x7b: // {
        depth++;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        if (depth === 0) return at;
        depth--;
        break;
      case 0x2c: // ,
        if (depth === 0) return at;
        break;
    }
  }
  return at;
}

/** The offset of the closing quote of the string that opens at `at`. */
function stringEnd(text: Buffer, at: number): number {
  for (at++; at < text.length && text[at] !== 0x22; at++) {
    if (text[at] === 0x5c) at++; // the escaped character, which may be a quote
  }
  return at;
}
