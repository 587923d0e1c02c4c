/** budget: stops sending when the money is spent. Calls wait, parked, until there is some again. */
import type { CostMeter } from '../core/cost-meter.js';
import { FaasError } from '../core/errors.js';
import type { CallContext, FaasInvoker } from '../core/executor.js';
import type { JobCall, JobId } from '../core/job.js';
import type { Layer } from '../core/layer.js';
import { Purse } from './budget-purse.js';
import { checkOption, configError, tell, wrap } from './wrap.js';

/** Options of `budget`. */
export interface BudgetOptions {
  /** What may be spent, over all executors the layer wraps. */
  readonly limit: {
    /** 0 or more; 0 parks every call. */
    readonly usd: number;
    /** Milliseconds after which the whole limit is there again. Default: never. */
    readonly windowMs?: number;
  };
  /** Says what attempts cost, and is told of each: `ledger({ jobs })` of `jobferry/costs`. */
  readonly ledger: CostMeter;
  /** A call has to wait. What this throws becomes a warning of the process. */
  readonly onPark?: (event: ParkEvent) => void;
}

/** A call that waits for money. */
export interface ParkEvent {
  readonly jobId: JobId;
  readonly callId: string;
  /** The provider id of the executor it was meant for. */
  readonly provider: string;
  /** In this window. */
  readonly spentUsd: number;
  /** What may be spent in a window. */
  readonly limitUsd: number;
  /** How many wait now, this one included. */
  readonly parked: number;
}

/** The layer, with what it knows. One budget may wrap several executors: they share its limit. */
export interface Budget extends Layer {
  /** Adds to the limit, of this window and all that follow; parked calls go on at once. */
  raise(usd: number): void;
  /** What may be spent in a window, with all that was raised. */
  readonly limitUsd: number;
  /** In this window. */
  readonly spentUsd: number;
  /** Set aside for the calls in flight. */
  readonly reservedUsd: number;
  /** How many calls wait now. */
  readonly parked: number;
}

/**
 * Sets aside what a call may cost before it is sent, and settles when it has ended; what does not fit waits in order
 * of arrival. A call that turns out dearer than what was set aside is not stopped, so the limit can be exceeded by
 * that difference, over the calls then in flight. With nothing in flight and some money left, one call always goes.
 * An attempt whose cost nobody reports is taken at what was set aside, one that did not run at nothing.
 * A parked call ends with its deadline or cancellation (`executed: no`), and as long as it waits it keeps its place
 * among the calls in flight of a runner: give its job a `concurrency`, so that other jobs keep theirs.
 * @throws {FaasError} CONFIG at once for an option out of range; at a call for a job or provider without a price
 */
export function budget({ limit, ledger, onPark }: BudgetOptions): Budget {
  checkOption('budget', 'limit.usd', limit.usd, '0 or more');
  if (limit.windowMs !== undefined) checkOption('budget', 'limit.windowMs', limit.windowMs, 'above 0');
  const purse = new Purse(limit.usd, limit.windowMs ?? Infinity);

  const layer: Layer = (inner) =>
    wrap(inner, async (call, context) => {
      const usd = ledger.expectedUsd(call.jobId, inner.provider);
      if (usd === undefined) throw noPrice(call, inner);
      if (!purse.tryReserve(usd)) await park(purse, usd, call, context, inner, onPark);
      const { jobId } = call;
      const { provider } = inner;
      try {
        const result = await inner.invoke(call, context);
        purse.settle(
          usd,
          ledger.record({ jobId, provider, executed: 'yes', metrics: result.metrics }) ?? usd,
        );
        return result;
      } catch (error) {
        const executed = FaasError.is(error) ? error.executed : 'maybe';
        purse.settle(usd, ledger.record({ jobId, provider, executed }) ?? usd);
        throw error;
      }
    });

  return Object.defineProperties(layer, {
    raise: {
      value: (usd: number) => {
        checkOption('budget', 'raise(usd)', usd, '0 or more');
        purse.raise(usd);
      },
    },
    limitUsd: { get: () => purse.limitUsd },
    spentUsd: { get: () => purse.spentUsd },
    reservedUsd: { get: () => purse.reservedUsd },
    parked: { get: () => purse.parked },
  }) as Budget;
}

/** Resolves once the money is set aside. */
function park(
  purse: Purse,
  usd: number,
  call: JobCall,
  context: CallContext,
  { provider }: FaasInvoker,
  onPark: BudgetOptions['onPark'],
): Promise<void> {
  return new Promise((resolve, reject) => {
    const waiter = {
      usd,
      admit: () => {
        stopListening();
        resolve();
      },
    };
    purse.park(waiter);
    const stopListening = context.onCancel((reason) => {
      purse.forget(waiter);
      const { limitUsd, spentUsd } = purse;
      const message = `Job ${call.jobId} was parked by the budget and not sent to ${provider}: $${spentUsd.toFixed(6)} of $${limitUsd} are spent (${reason.code}). Raise the limit, or give the job more time.`;
      reject(reason.with({ executed: 'no', provider, message }));
    });
    const { limitUsd, spentUsd, parked } = purse;
    tell('onPark', onPark, { jobId: call.jobId, callId: call.callId, provider, spentUsd, limitUsd, parked });
  });
}

function noPrice({ jobId }: JobCall, { provider }: FaasInvoker): FaasError {
  return configError(
    `budget: nobody knows what job ${jobId} costs on ${provider}. Name the job in ledger({ jobs }) and pass a price table for ${provider}.`,
  );
}
