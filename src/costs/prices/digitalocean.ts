/** DigitalOcean Functions: memory and time, nothing per request. */
import type { PriceTable } from '../price-table.js';

export const digitalOcean: PriceTable = {
  provider: 'digitalocean',
  plan: 'Functions',
  region: 'all regions',
  currency: 'USD',
  asOf: '2026-11-21',
  sources: ['https://www.digitalocean.com/pricing/functions'],
  unverified: ['how time above the minimum of 100 ms is rounded: taken as 1 ms'],
  rates: { perMillionRequests: 0, perGbSecond: [{ upTo: Infinity, rate: 0.0000185 }] },
  memory: { minMb: 128, maxMb: 1024, sizesMb: [128, 256, 512, 1024] },
  duration: { minMs: 100, stepMs: 1 },
  free: { requests: 0, gbSeconds: 90_000 },
};
