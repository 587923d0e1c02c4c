/** The limits that suit several providers at once. */
import type { NumberRange, ProviderLimits } from '../core/executor.js';
import { configError } from './wrap.js';

/**
 * For each limit the strictest; a limit that nobody states stays absent.
 * @throws {FaasError} CONFIG when no value suits all, naming the field.
 */
export function intersectLimits(all: readonly ProviderLimits[]): ProviderLimits {
  const combined: Record<string, unknown> = {
    asOf: all.map((limits) => limits.asOf).sort()[0],
    source: [...new Set(all.map((limits) => limits.source))].join('; '),
  };
  for (const key of ['maxPayloadBytes', 'maxResultBytes', 'maxArtifactBytes'] as const) {
    const stated = all.map((limits) => limits[key]).filter((value) => value !== undefined);
    if (stated.length > 0) combined[key] = Math.min(...stated);
  }
  for (const key of ['memoryMb', 'timeoutSecs', 'maxConcurrency'] as const) {
    const stated = all.map((limits) => limits[key]).filter((range) => range !== undefined);
    if (stated.length > 0) combined[key] = stated.reduce((one, other) => intersectRanges(key, one, other));
  }
  const patterns = all.map((limits) => limits.namePattern).filter((pattern) => pattern !== undefined);
  if (patterns.length > 0) combined['namePattern'] = intersectPatterns(patterns);
  return combined as unknown as ProviderLimits;
}

function intersectRanges(field: string, one: NumberRange, other: NumberRange): NumberRange {
  const max = Math.min(one.max, other.max);
  const step = leastCommonMultiple(one.step ?? 1, other.step ?? 1);
  const fits = (value: number) =>
    [one, other].every((range) => (value - range.min) % (range.step ?? 1) === 0);
  const least = Math.max(one.min, other.min);
  // The pattern of steps repeats after `step` values.
  for (let min = least; min < least + step && min <= max; min++) {
    if (fits(min)) return step === 1 ? { min, max } : { min, max, step };
  }
  throw configError(
    `failover: no ${field} suits all executors (${one.min} to ${one.max} and ${other.min} to ${other.max}).`,
  );
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return (a / x) * b;
}

/** Matches what all match. Each is tried from the start of the name, where name patterns are anchored. */
function intersectPatterns(patterns: readonly RegExp[]): RegExp {
  const [first, ...rest] = patterns;
  if (first !== undefined && rest.every((pattern) => String(pattern) === String(first))) return first;
  return new RegExp(patterns.map((pattern) => `(?=${pattern.source})`).join(''), first?.flags);
}
