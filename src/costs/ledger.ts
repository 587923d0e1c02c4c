/** The ledger: what each job has cost on each provider, from what the providers reported. */
import type { CostMeter, EndedAttempt } from '../core/cost-meter.js';
import type { AnyJob } from '../core/define-job.js';
import { FaasError } from '../core/errors.js';
import type { CallMetrics, JobId } from '../core/job.js';
import type { Layer } from '../core/layer.js';
import { callCost, chargedMs } from './estimate.js';
import type { PriceTable } from './price-table.js';
import { PRICES } from './prices/index.js';

// What a function gets where its job does not say: the defaults of FunctionConfig.
const DEFAULT_MEMORY_MB = 512;
const DEFAULT_TIMEOUT_SECS = 300;

type PricedJob = Pick<AnyJob, 'id' | 'config'>;

export interface LedgerOptions {
  /** The jobs to price: their `config.memoryMb` (default 512) is what the provider charges for. */
  readonly jobs: Iterable<PricedJob>;
  /** The first table of a provider counts. Default: the tables of this package. */
  readonly prices?: readonly PriceTable[];
}

/** The sums of one job on one provider. */
export interface LedgerEntry {
  readonly jobId: JobId;
  readonly provider: string;
  /** Attempts that ran, or may have run. */
  readonly attempts: number;
  /** Those of them whose metrics do not tell what they cost. They are in no sum. */
  readonly unpriced: number;
  /** Milliseconds charged for the others. */
  readonly billedMs: number;
  /** At the rates of the price table, without the free tier. */
  readonly usd: number;
}

interface Sums {
  attempts: number;
  unpriced: number;
  billedMs: number;
  usd: number;
  largestUsd: number;
}

/** @throws {FaasError} CONFIG for a table in another currency than USD that has rates */
export function ledger(options: LedgerOptions): Ledger {
  return new Ledger(options);
}

/**
 * Counts attempts, not outcomes: a call that took three attempts was paid three times. Put `ledger.layer` last in
 * `.layers(...)`, or give the ledger to `budget(...)`, which writes to it; not both.
 */
export class Ledger implements CostMeter {
  readonly #jobs: ReadonlyMap<JobId, PricedJob>;
  readonly #tables: ReadonlyMap<string, PriceTable>;
  readonly #sums = new Map<string, Sums>();

  constructor({ jobs, prices = PRICES }: LedgerOptions) {
    this.#jobs = new Map([...jobs].map((job) => [job.id, job]));
    // Reversed, so that the first table of a provider wins.
    this.#tables = new Map([...prices].reverse().map((table) => [table.provider, table]));
    for (const { provider, currency, rates } of prices) {
      if (currency === 'USD' || rates === undefined) continue;
      const message = `ledger: the prices of ${provider} are in ${currency}; the ledger counts in USD.`;
      throw new FaasError({ code: 'CONFIG', executed: 'no', message });
    }
  }

  /** Writes down every attempt that passes. */
  readonly layer: Layer = (inner) => ({
    get provider() {
      return inner.provider;
    },
    get limits() {
      return inner.limits;
    },
    invoke: async (call, context) => {
      const { jobId } = call;
      try {
        const result = await inner.invoke(call, context);
        this.record({ jobId, provider: inner.provider, executed: 'yes', metrics: result.metrics });
        return result;
      } catch (error) {
        const executed = FaasError.is(error) ? error.executed : 'maybe';
        this.record({ jobId, provider: inner.provider, executed });
        throw error;
      }
    },
    close: async () => inner.close?.(),
  });

  record({ jobId, provider, executed, metrics }: EndedAttempt): number | undefined {
    if (executed === 'no') return 0;
    // Where several executors stand behind one, the metrics say which of them answered.
    const payee = metrics?.provider ?? provider;
    const sums = this.#sumsOf(jobId, payee);
    sums.attempts += 1;
    const usd = metrics === undefined ? undefined : this.#cost(jobId, payee, metrics);
    if (metrics === undefined || usd === undefined) {
      sums.unpriced += 1;
      return undefined;
    }
    sums.billedMs += this.#chargedMs(payee, metrics) ?? 0;
    sums.usd += usd;
    sums.largestUsd = Math.max(sums.largestUsd, usd);
    return usd;
  }

  /** The dearest attempt so far; before there is one, a call that runs until the function's own time-out. */
  expectedUsd(jobId: JobId, provider: string): number | undefined {
    const largestUsd = this.#sums.get(keyOf(jobId, provider))?.largestUsd ?? 0;
    if (largestUsd > 0) return largestUsd;
    const timeoutSecs = this.#jobs.get(jobId)?.config?.timeoutSecs ?? DEFAULT_TIMEOUT_SECS;
    return this.#cost(jobId, provider, { totalMs: 0, executionMs: timeoutSecs * 1000 });
  }

  /** One line a job and provider, in the order of their first attempt. */
  entries(): readonly LedgerEntry[] {
    return [...this.#sums].map(([key, { attempts, unpriced, billedMs, usd }]) => {
      const [jobId = '', ...provider] = key.split(' ');
      return { jobId: Number(jobId), provider: provider.join(' '), attempts, unpriced, billedMs, usd };
    });
  }

  get totalUsd(): number {
    return this.entries().reduce((sum, { usd }) => sum + usd, 0);
  }

  #cost(jobId: JobId, provider: string, metrics: CallMetrics): number | undefined {
    const job = this.#jobs.get(jobId);
    const table = this.#tables.get(provider);
    const billedMs = this.#chargedMs(provider, metrics);
    if (job === undefined || table === undefined || billedMs === undefined) return undefined;
    return callCost(table, { memoryMb: job.config?.memoryMb ?? DEFAULT_MEMORY_MB, billedMs });
  }

  /** What the provider says it charges, else the time it ran, by its rules. */
  #chargedMs(provider: string, { billedMs, executionMs }: CallMetrics): number | undefined {
    const table = this.#tables.get(provider);
    if (billedMs !== undefined || table === undefined || executionMs === undefined) return billedMs;
    return chargedMs(table, executionMs);
  }

  #sumsOf(jobId: JobId, provider: string): Sums {
    const key = keyOf(jobId, provider);
    let sums = this.#sums.get(key);
    if (sums === undefined) {
      sums = { attempts: 0, unpriced: 0, billedMs: 0, usd: 0, largestUsd: 0 };
      this.#sums.set(key, sums);
    }
    return sums;
  }
}

function keyOf(jobId: JobId, provider: string): string {
  return `${jobId} ${provider}`;
}
