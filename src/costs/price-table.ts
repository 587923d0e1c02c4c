/** What a provider charges, as data: every figure with the day it was read and the page it was read on. */

export interface PriceTable {
  /** The provider id of the executor, for example `aws-lambda`. */
  readonly provider: string;
  /** Plan and variant, for example `on demand, x86_64`. */
  readonly plan: string;
  /** Where these rates hold. */
  readonly region: string;
  readonly currency: 'USD' | 'INR';
  /** The day the pages were read, `YYYY-MM-DD`. */
  readonly asOf: string;
  readonly sources: readonly string[];
  /** What could not be confirmed on a page of the provider itself, in words. Empty when all was. */
  readonly unverified: readonly string[];
  /** Absent when the provider publishes no figure that could be read: nothing is estimated then. */
  readonly rates?: Rates;
  readonly memory: MemoryRule;
  readonly duration: DurationRule;
  /** What costs nothing each month. */
  readonly free: { readonly requests: number; readonly gbSeconds: number; readonly vcpuSeconds?: number };
}

export interface Rates {
  readonly perMillionRequests: number;
  /** By monthly usage; GB and GiB both mean 1024 MiB here, as all of these providers count. */
  readonly perGbSecond: readonly Tier[];
  /** Where CPU is charged beside memory. */
  readonly perVcpuSecond?: number;
}

/** A rate that holds up to `upTo` units of a month; the last tier is `Infinity`. */
export interface Tier {
  readonly upTo: number;
  readonly rate: number;
}

export interface MemoryRule {
  readonly minMb: number;
  readonly maxMb: number;
  /** The sizes there are, ascending: the next larger one is charged. Absent: any size is charged as it is. */
  readonly sizesMb?: readonly number[];
  /** vCPUs that come with a size, where they are charged: the first row that holds the memory counts. */
  readonly vcpus?: readonly { readonly upToMb: number; readonly vcpus: number }[];
}

/** Charged time = `max(minMs, round up to stepMs)`. */
export interface DurationRule {
  readonly minMs: number;
  readonly stepMs: number;
}
