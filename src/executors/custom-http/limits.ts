/** What `GET /api` states about limits, and how it narrows what is known already. */
import type { NumberRange, ProviderLimits } from '../../core/executor.js';
import { isObject } from './wire.js';

type Stated = Readonly<Record<string, unknown>>;

/** The stricter of what was known and what the platform states; nothing is ever widened. */
export function narrowLimits(known: ProviderLimits, stated: Stated, origin: string): ProviderLimits {
  return {
    ...known,
    ...smaller('maxPayloadBytes', known.maxPayloadBytes, stated['max_args_bytes']),
    ...smaller('maxResultBytes', known.maxResultBytes, stated['max_result_bytes']),
    ...smaller('maxArtifactBytes', known.maxArtifactBytes, stated['max_zip_bytes']),
    ...narrower('memoryMb', known.memoryMb, stated['memory_mb']),
    ...narrower('timeoutSecs', known.timeoutSecs, stated['timeout_secs']),
    ...narrower('maxConcurrency', known.maxConcurrency, stated['max_concurrency']),
    asOf: new Date().toISOString().slice(0, 10),
    source: `${known.source}; GET /api of ${origin}`,
  };
}

function smaller(
  name: 'maxPayloadBytes' | 'maxResultBytes' | 'maxArtifactBytes',
  known: number | undefined,
  stated: unknown,
): Partial<ProviderLimits> {
  return isWhole(stated) ? { [name]: Math.min(known ?? Infinity, stated) } : {};
}

function narrower(
  name: 'memoryMb' | 'timeoutSecs' | 'maxConcurrency',
  known: NumberRange | undefined,
  stated: unknown,
): Partial<ProviderLimits> {
  if (!isObject(stated)) return {};
  const { min, max, step } = stated;
  if (!isWhole(min) || !isWhole(max)) return {};
  const range = { min: Math.max(known?.min ?? 0, min), max: Math.min(known?.max ?? Infinity, max) };
  // Ranges that do not meet are a platform (or an option) gone wrong: the requests will show it.
  if (range.min > range.max) return {};
  const coarser = Math.max(known?.step ?? 1, isWhole(step) ? step : 1);
  return { [name]: coarser > 1 ? { ...range, step: coarser } : range };
}

/** An integer of 1 or more, as every limit is. */
export function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1;
}
