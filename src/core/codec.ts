/** Bytes <-> values. JSON unless a job says otherwise. */
import { FaasError } from './errors.js';

export interface Codec<T> {
  /** Names the encoding in errors and on the wire, for example `application/json`. */
  readonly contentType: string;
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

const encoder = new TextEncoder();
// fatal: a byte sequence that is no UTF-8 is an error, never silently replaced.
const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * JSON text in UTF-8. `undefined` travels as zero bytes, so that jobs without input or output work.
 * Values that JSON would change without a word (BigInt, functions, NaN, Infinity) are refused.
 */
export const jsonCodec: Codec<unknown> = {
  contentType: 'application/json',
  encode(value) {
    if (value === undefined) return new Uint8Array(0);
    const text = JSON.stringify(value, refuseLoss);
    if (text === undefined) throw new TypeError(`a ${typeof value} cannot be written as JSON`);
    return encoder.encode(text);
  },
  decode(bytes) {
    return bytes.length === 0 ? undefined : JSON.parse(decoder.decode(bytes));
  },
};

function refuseLoss(key: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new TypeError(`${value} at ${JSON.stringify(key)} cannot be written as JSON`);
  }
  return value;
}

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
