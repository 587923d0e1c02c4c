/** What a month of calls costs on a provider, by its own formula. Pure: no network, no clock. */
import { FaasError } from '../core/errors.js';
import type { PriceTable, Tier } from './price-table.js';
import { PRICES } from './prices/index.js';

/** A month of one job. */
export interface Workload {
  readonly calls: number;
  /** Milliseconds that one call runs. */
  readonly durationMs: number;
  readonly memoryMb: number;
}

/** What the provider counts. */
export interface Usage {
  readonly requests: number;
  readonly gbSeconds: number;
  /** 0 where CPU is not charged. */
  readonly vcpuSeconds: number;
}

export interface Estimate {
  readonly prices: PriceTable;
  /** For one call, rounded up by the provider's rules. */
  readonly billedMs: number;
  readonly billedMemoryMb: number;
  readonly usage: Usage;
  /** In `prices.currency`, without the free tier; what each call beyond it costs. */
  readonly full: number;
  /** After the free tier, when nothing else of the account uses it. */
  readonly afterFreeTier: number;
}

/** A plan that has no figure, and why. */
export interface NoEstimate {
  readonly prices: PriceTable;
  readonly reason: string;
}

/**
 * Estimates `workload` on every plan of `tables`.
 * @throws {FaasError} CONFIG for a number that makes no sense
 */
export function estimate(
  workload: Workload,
  tables: readonly PriceTable[] = PRICES,
): readonly (Estimate | NoEstimate)[] {
  for (const name of ['calls', 'durationMs', 'memoryMb'] as const) {
    const value = workload[name];
    const isFine = Number.isFinite(value) && (name === 'memoryMb' ? value > 0 : value >= 0);
    if (!isFine) throw config(`${name} of a workload must be a number of 0 or more, not ${value}`);
  }
  return tables.map((prices) => estimateOn(prices, workload));
}

function estimateOn(prices: PriceTable, { calls, durationMs, memoryMb }: Workload): Estimate | NoEstimate {
  const { rates, free } = prices;
  if (rates === undefined) return { prices, reason: 'its rates are not known' };
  const billedMemoryMb = chargedMemoryMb(prices, memoryMb);
  if (billedMemoryMb === undefined) {
    return { prices, reason: `a function takes ${prices.memory.maxMb} MB at most` };
  }
  const billedMs = chargedMs(prices, durationMs);
  const seconds = (calls * billedMs) / 1000;
  const usage = {
    requests: calls,
    gbSeconds: (seconds * billedMemoryMb) / 1024,
    vcpuSeconds: rates.perVcpuSecond === undefined ? 0 : seconds * vcpusOf(prices, billedMemoryMb),
  };
  const left = {
    requests: Math.max(0, usage.requests - free.requests),
    gbSeconds: Math.max(0, usage.gbSeconds - free.gbSeconds),
    vcpuSeconds: Math.max(0, usage.vcpuSeconds - (free.vcpuSeconds ?? 0)),
  };
  return {
    prices,
    billedMs,
    billedMemoryMb,
    usage,
    full: cost(prices, usage),
    afterFreeTier: cost(prices, left),
  };
}

/** What `usage` costs, in the currency of the table; 0 for a table without rates. */
function cost({ rates }: PriceTable, { requests, gbSeconds, vcpuSeconds }: Usage): number {
  if (rates === undefined) return 0;
  return (
    (requests / 1e6) * rates.perMillionRequests +
    tiered(rates.perGbSecond, gbSeconds) +
    vcpuSeconds * (rates.perVcpuSecond ?? 0)
  );
}

function tiered(tiers: readonly Tier[], amount: number): number {
  let sum = 0;
  let from = 0;
  for (const { upTo, rate } of tiers) {
    if (amount <= from) break;
    sum += (Math.min(amount, upTo) - from) * rate;
    from = upTo;
  }
  return sum;
}

/** The milliseconds charged for a call that ran `durationMs`. */
export function chargedMs({ duration }: PriceTable, durationMs: number): number {
  return Math.max(duration.minMs, Math.ceil(durationMs / duration.stepMs) * duration.stepMs);
}

/** The memory charged for a function of this size; undefined when it is larger than any. */
export function chargedMemoryMb({ memory }: PriceTable, memoryMb: number): number | undefined {
  if (memoryMb > memory.maxMb) return undefined;
  const wantedMb = Math.max(memory.minMb, memoryMb);
  return memory.sizesMb === undefined ? wantedMb : memory.sizesMb.find((sizeMb) => sizeMb >= wantedMb);
}

function vcpusOf({ memory }: PriceTable, memoryMb: number): number {
  return memory.vcpus?.find(({ upToMb }) => memoryMb <= upToMb)?.vcpus ?? 0;
}

/** One call at the rates of the first tier, without the free tier; undefined when the table cannot tell. */
export function callCost(
  prices: PriceTable,
  call: { readonly memoryMb: number; readonly billedMs: number },
): number | undefined {
  const memoryMb = chargedMemoryMb(prices, call.memoryMb);
  if (prices.rates === undefined || memoryMb === undefined) return undefined;
  const seconds = call.billedMs / 1000;
  return cost(prices, {
    requests: 1,
    gbSeconds: (seconds * memoryMb) / 1024,
    vcpuSeconds: seconds * vcpusOf(prices, memoryMb),
  });
}

function config(what: string): FaasError {
  return new FaasError({ code: 'CONFIG', executed: 'no', message: `${what}.` });
}
