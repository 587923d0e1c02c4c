/** `jobferry/costs`: dated price tables, estimates before, a ledger after. Nothing here uses the network. */
export type { CostMeter, EndedAttempt } from '../core/cost-meter.js';
export { type Estimate, estimate, type NoEstimate, type Usage, type Workload } from './estimate.js';
export { Ledger, type LedgerEntry, type LedgerOptions, ledger } from './ledger.js';
export type { DurationRule, MemoryRule, PriceTable, Rates, Tier } from './price-table.js';
export { PRICES } from './prices/index.js';
