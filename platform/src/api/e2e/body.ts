/** Reads the JSON bodies of the E2E door: which fields there are, what they may hold, and which one is wrong. */

import { PlatformError } from '../../domain/errors.js';
import { refusalOfEnvName } from '../../domain/function-config.js';

export type Fields = Readonly<Record<string, unknown>>;

/** @throws PlatformError INVALID_REQUEST */
export function parseJsonObject(body: Buffer): Fields {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (cause) {
    // The parser's own message would quote the body.
    throw new PlatformError('INVALID_REQUEST', 'The body must be one JSON object in UTF-8.', { cause });
  }
  if (!isObject(value)) throw new PlatformError('INVALID_REQUEST', 'The body must be one JSON object.');
  return value;
}

/** @throws PlatformError INVALID_CONFIG that names the first field nobody knows */
export function refuseUnknown(fields: Fields, known: readonly string[], where = ''): void {
  const unknown = Object.keys(fields).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw invalid(`${where}${unknown.slice(0, 80)}`, `is unknown; known are ${known.join(', ')}`);
}

export function text(fields: Fields, name: string): string | undefined {
  const value = fields[name] ?? undefined;
  if (value !== undefined && typeof value !== 'string') throw invalid(name, 'must be text');
  return value;
}

export function requiredText(fields: Fields, name: string): string {
  const value = text(fields, name);
  if (value === undefined || value === '') throw invalid(name, 'is missing');
  return value;
}

export function wholeNumber(
  fields: Fields,
  name: string,
  { min, max }: { readonly min: number; readonly max: number },
  where = '',
): number | undefined {
  const value = fields[name] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max)
    throw invalid(`${where}${name}`, `must be a whole number from ${min} to ${max}`);
  return value;
}

export function object(fields: Fields, name: string): Fields | undefined {
  const value = fields[name] ?? undefined;
  if (value !== undefined && !isObject(value)) throw invalid(name, 'must be an object');
  return value;
}

export function texts(fields: Fields, name: string): Readonly<Record<string, string>> | undefined {
  const value = object(fields, name);
  if (value === undefined) return undefined;
  for (const [key, one] of Object.entries(value))
    if (typeof one !== 'string') throw invalid(`${name}.${key.slice(0, 80)}`, 'must be text');
  return value as Readonly<Record<string, string>>;
}

export function environment(fields: Fields, name: string): Readonly<Record<string, string>> | undefined {
  const env = texts(fields, name);
  for (const [key, value] of Object.entries(env ?? {})) {
    const field = `${name}.${key.slice(0, 80)}`;
    const refusal = refusalOfEnvName(key);
    if (refusal !== undefined) throw invalid(field, refusal);
    if (value.includes('\0')) throw invalid(field, 'must not hold NUL');
  }
  return env;
}

/** Without repetitions, in the order they came. */
export function names(fields: Fields, name: string): readonly string[] | undefined {
  const value = fields[name] ?? undefined;
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !value.every((one) => typeof one === 'string'))
    throw invalid(name, 'must be an array of names');
  return [...new Set(value as string[])];
}

export function invalid(field: string, what: string): PlatformError {
  return new PlatformError('INVALID_CONFIG', `${field} ${what}.`, { details: { field } });
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
