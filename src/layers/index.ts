/** `jobferry/layers`: what can be put around an executor. The first layer listed is the outermost. */
export type { Layer } from '../core/layer.js';
export { withLayers } from '../core/layer.js';
export { RetryBudget, type RetryBudgetOptions, type RetryPolicy } from '../core/retry-policy.js';
export { type Budget, type BudgetOptions, budget, type ParkEvent } from './budget.js';
export {
  type CircuitBreakerOptions,
  type CircuitEvent,
  type CircuitState,
  circuitBreaker,
} from './circuit-breaker.js';
export { type ClaimCheckOptions, claimCheck } from './claim-check.js';
export { type AdaptiveOptions, type ConcurrencyOptions, concurrency } from './concurrency.js';
export { type FailoverOptions, failover } from './failover.js';
export { type HedgeOptions, hedge } from './hedge.js';
export { type RetryEvent, type RetryOptions, retry } from './retry.js';
export { type TimeoutOptions, timeout } from './timeout.js';
