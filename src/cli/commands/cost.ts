/** `jobferry cost`: what a month of calls costs on each provider, from the price tables of this package. */
import { Command, InvalidArgumentError } from 'commander';
import { type Estimate, estimate, type NoEstimate, PRICES } from '../../costs/index.js';
import { usageError } from '../exit-codes.js';
import type { Finish } from '../program.js';

interface CostOptions {
  readonly calls: number;
  readonly ms: number;
  readonly memory: number;
  readonly provider?: string;
}

export function costCommand(finish: Finish): Command {
  return new Command('cost')
    .description('estimate what a month of calls costs on each provider; uses no network')
    .requiredOption('--calls <n>', 'calls a month, for example 1e6', amount)
    .requiredOption('--ms <n>', 'milliseconds one call runs', amount)
    .option('--memory <mb>', 'memory of the function', amount, 512)
    .option('--provider <name>', 'only this provider')
    .addHelpText(
      'after',
      '\nExamples:\n  $ jobferry cost --calls 1e6 --ms 120 --memory 512\n  $ jobferry cost --calls 5e7 --ms 40 --provider aws-lambda --json',
    )
    .action((options: CostOptions) => {
      const tables = PRICES.filter(({ provider }) => (options.provider ?? provider) === provider);
      if (tables.length === 0) {
        const known = [...new Set(PRICES.map(({ provider }) => provider))].join(', ');
        throw usageError(`there are no prices for ${options.provider}. Known: ${known}.`);
      }
      const workload = { calls: options.calls, durationMs: options.ms, memoryMb: options.memory };
      const estimates = estimate(workload, tables);
      finish({ lines: [...table(estimates), '', ...footnotes(estimates)], data: { workload, estimates } });
    });
}

type Row = Estimate | NoEstimate;

const HEAD = ['provider', 'plan', 'a month', 'after free tier', 'charged per call'];

function table(estimates: readonly Row[]): string[] {
  const rows = [HEAD, ...estimates.map(cells)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function cells(row: Row): string[] {
  const { provider, plan, currency, unverified } = row.prices;
  const name = unverified.length > 0 ? `${provider}*` : provider;
  if ('reason' in row) return [name, plan, `no estimate: ${row.reason}`, '', ''];
  const { full, afterFreeTier, billedMs, billedMemoryMb } = row;
  return [
    name,
    plan,
    money(full, currency),
    money(afterFreeTier, currency),
    `${billedMs} ms, ${billedMemoryMb} MB`,
  ];
}

function money(sum: number, currency: string): string {
  return `${sum.toFixed(2)} ${currency}`;
}

function footnotes(estimates: readonly Row[]): string[] {
  return estimates.flatMap(({ prices }) => {
    const { provider, plan, region, asOf, sources, unverified } = prices;
    return [
      `${provider} (${plan}): ${region}, read ${asOf} at ${sources.join(', ')}`,
      ...unverified.map((what) => `  * not confirmed by the provider's own page: ${what}`),
    ];
  });
}

/** Takes 1e6 as well as 1000000. */
function amount(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError('It must be a number of 0 or more.');
}
