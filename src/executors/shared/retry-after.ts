/** Reads the Retry-After header: how long a server asks to be left alone. */

/** A server cannot park a caller for longer than a day. */
const MAX_RETRY_AFTER_MS = 86_400_000;

const SECONDS = /^\d+(\.\d+)?$/;
// All three HTTP-date formats begin with the day's name; Date.parse alone would accept much more than dates.
const HTTP_DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /;

/**
 * Milliseconds to wait, from 0 to one day; undefined when there is no header or it makes no sense.
 * A date in the past means now.
 */
export function retryAfterMs(header: unknown, nowMs: number = Date.now()): number | undefined {
  if (typeof header !== 'string') return undefined;
  const value = header.trim();
  if (SECONDS.test(value)) return clamp(Number(value) * 1000);
  if (!HTTP_DATE.test(value)) return undefined;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? undefined : clamp(atMs - nowMs);
}

function clamp(delayMs: number): number {
  return Math.min(Math.max(0, Math.round(delayMs)), MAX_RETRY_AFTER_MS);
}
