/** Google Cloud functions of the second generation, which are charged as Cloud Run services. */
import type { PriceTable } from '../price-table.js';

/** One call at a time in an instance: with more, calls share what is charged, and this is the upper bound. */
export const gcpFunctions: PriceTable = {
  provider: 'gcp-functions',
  plan: '2nd generation, charged per request, one call at a time',
  region: 'regions of tier 1, such as us-central1',
  currency: 'USD',
  asOf: '2026-11-21',
  sources: [
    'https://cloud.google.com/run/pricing',
    'https://cloud.google.com/functions/docs/configuring/memory',
  ],
  unverified: ['the rate per GiB-second and per request: read on pages that quote the provider'],
  rates: {
    perMillionRequests: 0.4,
    perGbSecond: [{ upTo: Infinity, rate: 0.0000025 }],
    perVcpuSecond: 0.000024,
  },
  memory: {
    minMb: 128,
    maxMb: 32_768,
    vcpus: [
      { upToMb: 128, vcpus: 0.083 },
      { upToMb: 256, vcpus: 0.167 },
      { upToMb: 512, vcpus: 0.333 },
      { upToMb: 1024, vcpus: 0.583 },
      { upToMb: 2048, vcpus: 1 },
      { upToMb: 8192, vcpus: 2 },
      { upToMb: 16_384, vcpus: 4 },
      { upToMb: 32_768, vcpus: 8 },
    ],
  },
  duration: { minMs: 100, stepMs: 100 },
  free: { requests: 2_000_000, gbSeconds: 360_000, vcpuSeconds: 180_000 },
};
