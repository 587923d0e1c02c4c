/**
 * How everything here is measured: the variants run in turn, in a new random order each round, and a figure is the
 * median over rounds of the ratio to the base of the same round. Absolutes swing with the machine; ratios hold.
 */

export interface Variant {
  readonly name: string;
  /** Does the work once and resolves to its rate: the higher, the better. */
  measure(): Promise<number>;
}

export interface Row {
  readonly name: string;
  readonly ratio: number;
  readonly lowest: number;
  readonly highest: number;
  /** Median, in the unit of the title. */
  readonly absolute: number;
}

/** The first variant is the base. */
export async function compare(variants: readonly Variant[], rounds: number): Promise<Row[]> {
  const rates = variants.map((): number[] => []);
  // One round unmeasured: code compiled, pools open.
  for (const variant of variants) await variant.measure();
  for (let round = 0; round < rounds; round += 1) {
    for (const index of shuffled(variants.length)) {
      globalThis.gc?.();
      rates[index]?.push((await variants[index]?.measure()) ?? Number.NaN);
    }
  }
  return variants.map(({ name }, index) => {
    const own = rates[index] ?? [];
    const ratios = own.map((rate, round) => rate / (rates[0]?.[round] ?? Number.NaN)).sort((a, b) => a - b);
    return {
      name,
      ratio: median(ratios),
      lowest: ratios[0] ?? Number.NaN,
      highest: ratios.at(-1) ?? Number.NaN,
      absolute: median([...own].sort((a, b) => a - b)),
    };
  });
}

export function print(
  title: string,
  unit: string,
  rows: readonly Row[],
  goals: Readonly<Record<string, string>> = {},
): void {
  console.log(`\n${title}`);
  const width = Math.max(...rows.map(({ name }) => name.length));
  for (const { name, ratio, lowest, highest, absolute } of rows) {
    const goal = goals[name] === undefined ? '' : `   goal ${goals[name]}`;
    const spread = `(${lowest.toFixed(2)}-${highest.toFixed(2)})`;
    console.log(
      `  ${name.padEnd(width)}  ${ratio.toFixed(2).padStart(7)}x ${spread.padEnd(15)} ${format(absolute).padStart(10)} ${unit}${goal}`,
    );
  }
}

function shuffled(length: number): number[] {
  const order = Array.from({ length }, (_, index) => index);
  for (let last = length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [order[last], order[other]] = [order[other] as number, order[last] as number];
  }
  return order;
}

export function median(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function format(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value.toFixed(1);
}
