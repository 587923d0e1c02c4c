/** The deploy configuration: the header X-Blueprint-Config, its defaults and its checks. */

import { PlatformError } from './errors.js';
import type { PlatformLimits } from './limits.js';

export interface FunctionConfig {
  readonly memoryMb: number;
  readonly timeoutSecs: number;
  readonly maxConcurrency: number;
  readonly env: Readonly<Record<string, string>>;
}

export const DEFAULT_CONFIG: FunctionConfig = {
  memoryMb: 512,
  timeoutSecs: 300,
  maxConcurrency: 10,
  env: {},
};

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Names the platform sets itself; HOME and TMPDIR also mark which processes belong to a call. */
const RESERVED_ENV = /^(FAAS_.*|HOME|TMPDIR|AWS_LAMBDA_RUNTIME_API)$/;
const FIELDS = ['memory_mb', 'timeout_secs', 'max_concurrency', 'env_vars'];

/**
 * Decodes the header's value: one line of standard base64 around a JSON object; missing fields take defaults.
 * @throws PlatformError INVALID_CONFIG that names the field
 */
export function parseConfigHeader(header: string | undefined, limits: PlatformLimits): FunctionConfig {
  if (header === undefined) return DEFAULT_CONFIG;
  const fields = decodeObject(header);
  const unknown = Object.keys(fields).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined)
    throw invalid(unknown.slice(0, 80), `is unknown; known are ${FIELDS.join(', ')}`);
  return {
    memoryMb: wholeNumber(fields, 'memory_mb', DEFAULT_CONFIG.memoryMb, limits.memoryMb),
    timeoutSecs: wholeNumber(fields, 'timeout_secs', DEFAULT_CONFIG.timeoutSecs, limits.timeoutSecs),
    maxConcurrency: wholeNumber(
      fields,
      'max_concurrency',
      DEFAULT_CONFIG.maxConcurrency,
      limits.maxConcurrency,
    ),
    env: environment(fields['env_vars']),
  };
}

/** One text for each configuration, whatever the order of its variables. */
export function canonicalConfig(config: FunctionConfig): string {
  const env = Object.entries(config.env).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([config.memoryMb, config.timeoutSecs, config.maxConcurrency, env]);
}

function decodeObject(header: string): Record<string, unknown> {
  const name = 'X-Blueprint-Config';
  if (!BASE64.test(header) || header.length % 4 !== 0)
    throw invalid(name, 'must be one line of standard base64');
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(header, 'base64')));
  } catch {
    throw invalid(name, 'must hold JSON inside its base64');
  }
  if (!isObject(value)) throw invalid(name, 'must hold a JSON object');
  return value;
}

function wholeNumber(
  fields: Record<string, unknown>,
  name: string,
  fallback: number,
  range: { readonly min: number; readonly max: number; readonly step?: number },
): number {
  const value = fields[name];
  if (value === undefined || value === null) return fallback;
  const step = range.step ?? 1;
  if (
    typeof value !== 'number' ||
    !Number.isInteger(value) ||
    value < range.min ||
    value > range.max ||
    value % step !== 0
  ) {
    const steps = step === 1 ? '' : ` in steps of ${step}`;
    throw invalid(name, `must be a whole number from ${range.min} to ${range.max}${steps}`);
  }
  return value;
}

/** In words, why a variable cannot have this name; undefined when it can. */
export function refusalOfEnvName(name: string): string | undefined {
  if (!ENV_NAME.test(name)) return 'is not a name of letters, digits and "_"';
  return RESERVED_ENV.test(name) ? 'is set by the platform and cannot be chosen' : undefined;
}

function environment(value: unknown): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw invalid('env_vars', 'must be an object of strings');
  const env: Record<string, string> = {};
  for (const [name, text] of Object.entries(value)) {
    const field = `env_vars.${name.slice(0, 80)}`;
    const refusal = refusalOfEnvName(name);
    if (refusal !== undefined) throw invalid(field, refusal);
    if (typeof text !== 'string' || text.includes('\0')) throw invalid(field, 'must be a string without NUL');
    env[name] = text;
  }
  return env;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(field: string, what: string): PlatformError {
  return new PlatformError('INVALID_CONFIG', `${field} ${what}.`, { details: { field } });
}
