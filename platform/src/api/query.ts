/** Reads the parameters behind the question mark. Unknown ones are left alone. */

import { PlatformError } from '../domain/errors.js';

const WHOLE_NUMBER = /^[0-9]{1,15}$/;
const TIMESTAMP = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/**
 * A whole number; what is above `max` counts as `max`.
 * @throws PlatformError INVALID_REQUEST that names the parameter
 */
export function wholeNumber(
  query: URLSearchParams,
  name: string,
  fallback: number,
  min: number,
  max: number,
): number {
  const text = query.get(name);
  if (text === null) return fallback;
  if (!WHOLE_NUMBER.test(text) || Number(text) < min)
    throw invalid(name, `must be a whole number of at least ${min}`);
  return Math.min(Number(text), max);
}

/** The size of a page: 1 to 1000, default 100. */
export function pageLimit(query: URLSearchParams): number {
  const limit = wholeNumber(query, 'limit', 100, 1, Number.MAX_SAFE_INTEGER);
  if (limit > 1000) throw invalid('limit', 'must be at most 1000');
  return limit;
}

/** Epoch ms of an RFC 3339 time. */
export function timestamp(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const time = TIMESTAMP.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) throw invalid(name, 'must be an RFC 3339 time, such as 2026-01-31T12:00:00Z');
  return time;
}

export function flag(query: URLSearchParams, name: string): boolean {
  const text = query.get(name);
  if (text === null || text === 'false') return false;
  if (text !== 'true') throw invalid(name, 'must be true or false');
  return true;
}

export function oneOf<T extends string>(
  query: URLSearchParams,
  name: string,
  known: readonly T[],
): T | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const found = known.find((one) => one === text);
  if (found === undefined) throw invalid(name, `must be one of ${known.join(', ')}`);
  return found;
}

function invalid(name: string, what: string): PlatformError {
  return new PlatformError('INVALID_REQUEST', `The parameter ${name} ${what}.`, {
    details: { parameter: name },
  });
}
