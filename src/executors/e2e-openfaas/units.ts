/** How Kubernetes and Go write sizes and times. */

/** MiB of a Kubernetes quantity; undefined for what is none. */
export function memoryMbOf(quantity: unknown): number | undefined {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)([KMGT]i?)?$/.exec(textOf(quantity)) ?? [];
  const bytes = UNIT_BYTES[unit];
  return amount === undefined || bytes === undefined ? undefined : (Number(amount) * bytes) / 1024 ** 2;
}

const UNIT_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
  Ti: 1024 ** 4,
};

/** Seconds of a Go duration of one unit, or of a bare number, which the watchdogs take too. */
export function secondsOf(duration: unknown): number | undefined {
  const [, amount, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(textOf(duration)) ?? [];
  if (amount === undefined) return undefined;
  return Number(amount) * { ms: 0.001, s: 1, m: 60, h: 3600 }[unit as 'ms' | 's' | 'm' | 'h'];
}

/** A server may send anything at all, also what cannot be made a string. */
function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
