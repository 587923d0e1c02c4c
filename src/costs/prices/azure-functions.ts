/** Azure Functions on Flex Consumption, on demand: charged is the memory of the instance, not what the code uses. */
import type { PriceTable } from '../price-table.js';

export const azureFunctions: PriceTable = {
  provider: 'azure-functions',
  plan: 'Flex Consumption, on demand, one call at a time',
  region: 'East US',
  currency: 'USD',
  asOf: '2026-11-21',
  sources: [
    'https://azure.microsoft.com/en-us/pricing/details/functions/',
    'https://learn.microsoft.com/en-us/azure/azure-functions/functions-consumption-costs',
    'https://modal.com/blog/azure-function-pricing-guide',
  ],
  unverified: [
    'all rates and the free grant: the provider renders them by script',
    'the minimum of 1000 ms and the rounding to 100 ms',
  ],
  rates: { perMillionRequests: 0.4, perGbSecond: [{ upTo: Infinity, rate: 0.000026 }] },
  memory: { minMb: 1, maxMb: 4096, sizesMb: [512, 2048, 4096] },
  duration: { minMs: 1000, stepMs: 100 },
  free: { requests: 250_000, gbSeconds: 100_000 },
};
