/** Quantities of memory as Google writes them: `256Mi`, `1Gi`, `512M`, `1G`, `64k`, plain bytes. */

const UNIT_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  k: 1000,
  M: 1000 ** 2,
  G: 1000 ** 3,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
};

/** MiB, rounded; undefined for what cannot be read, never a default. */
export function memoryMbOf(text: string | null | undefined): number | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(k|M|G|Ki|Mi|Gi)?$/.exec(text ?? '') ?? [];
  const unitBytes = UNIT_BYTES[unit ?? ''];
  if (amount === undefined || unitBytes === undefined) return undefined;
  return Math.round((Number(amount) * unitBytes) / (1024 * 1024));
}
