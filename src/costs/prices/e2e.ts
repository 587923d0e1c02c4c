/** E2E Networks Functions: a monthly minimum that holds 450 000 GB-seconds, above it a rate per GB-second. */
import type { PriceTable } from '../price-table.js';

export const e2e: PriceTable = {
  provider: 'e2e-openfaas',
  plan: 'CPU functions, with a monthly minimum',
  region: 'India',
  currency: 'INR',
  asOf: '2026-11-21',
  sources: ['https://docs.e2enetworks.com/myaccount/functions/concepts/billing/'],
  unverified: [
    'the rate and the monthly minimum: the documentation points to a pricing page that could not be read',
  ],
  memory: { minMb: 64, maxMb: 8192 },
  duration: { minMs: 1, stepMs: 1 },
  // The 450 000 GB-seconds of the minimum are paid for, so they are no free tier.
  free: { requests: 0, gbSeconds: 0 },
};
