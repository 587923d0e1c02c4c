/** Bytes <-> values. JSON unless a job says otherwise. */
import { FaasError } from './errors.js';
import { losslessJson } from './json-loss.js';

/** Both directions of one encoding. What `encode` and `decode` throw becomes the cause of a FaasError. */
export interface Codec<T> {
  /** Names the encoding in errors and on the wire, for example `application/json`. */
  readonly contentType: string;
  /** @throws anything, for a value that would not come back equal */
  encode(value: T): Uint8Array;
  /** @throws anything, for bytes that are not this encoding */
  decode(bytes: Uint8Array): T;
}

const encoder = new TextEncoder();
// fatal: a byte sequence that is no UTF-8 is an error, never silently replaced.
const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * JSON text in UTF-8. `undefined` travels as zero bytes, so that jobs without input or output work.
 * Values that JSON would lose without a word are refused, wherever they are nested: functions, symbols, BigInt, NaN and
 * Infinity, `undefined` in an array, Map, Set, RegExp, Error, Promise, bytes (use the codec `bytes`), a Date that is
 * none. JSON's own rules stay: a property that is `undefined` is left out, a Date arrives as a string and an instance of
 * a class as a plain object. A job in this process gets its values as they are, without any codec.
 */
export const jsonCodec: Codec<unknown> = {
  contentType: 'application/json',
  encode(value) {
    if (value === undefined) return new Uint8Array(0);
    // Undefined only where a toJSON says so.
    return encoder.encode(losslessJson(value) ?? 'null');
  },
  decode(bytes) {
    return bytes.length === 0 ? undefined : JSON.parse(decoder.decode(bytes));
  },
};

/** Raw bytes, passed through untouched. */
export const bytesCodec: Codec<Uint8Array> = {
  contentType: 'application/octet-stream',
  encode(value) {
    if (!(value instanceof Uint8Array)) throw new TypeError('this job takes a Uint8Array');
    return value;
  },
  decode: (bytes) => bytes,
};

/** Encodes or says which job and side failed, without quoting the value. */
export function encodeWith<T>(codec: Codec<T>, value: T, what: string): Uint8Array {
  try {
    return codec.encode(value);
  } catch (cause) {
    throw new FaasError({
      code: 'INVALID_REQUEST',
      executed: 'no',
      message: `${what} cannot be encoded as ${codec.contentType}: ${reason(cause)}. Pass a value the codec takes, or set the job's codec.`,
      cause,
    });
  }
}

/** Decodes what came back from a function; the function has run by then. */
export function decodeWith<T>(codec: Codec<T>, bytes: Uint8Array, what: string): T {
  try {
    return codec.decode(bytes);
  } catch (cause) {
    throw new FaasError({
      code: 'PROTOCOL',
      executed: 'yes',
      message: `${what} (${bytes.length} bytes) is not valid ${codec.contentType}. Check that both sides use the same codec.`,
      cause,
    });
  }
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
