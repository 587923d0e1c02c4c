/** AWS Lambda, on demand. The time to start an instance is charged like the time of a call since August 2025. */
import type { PriceTable } from '../price-table.js';

const COMMON = {
  provider: 'aws-lambda',
  region: 'us-east-1',
  currency: 'USD',
  asOf: '2026-11-21',
  sources: [
    'https://aws.amazon.com/lambda/pricing/',
    'https://aws.amazon.com/blogs/compute/introducing-tiered-pricing-for-aws-lambda/',
    'https://aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase',
    'https://cloudchipr.com/blog/aws-lambda-pricing',
  ],
  unverified: [
    'rates per GB-second: the provider renders them by script, they were read on pages that quote it',
  ],
  memory: { minMb: 128, maxMb: 10_240 },
  duration: { minMs: 1, stepMs: 1 },
  free: { requests: 1_000_000, gbSeconds: 400_000 },
} as const satisfies Partial<PriceTable>;

export const awsLambdaX86: PriceTable = {
  ...COMMON,
  plan: 'on demand, x86_64',
  rates: {
    perMillionRequests: 0.2,
    perGbSecond: [
      { upTo: 6e9, rate: 0.0000166667 },
      { upTo: 15e9, rate: 0.000015 },
      { upTo: Infinity, rate: 0.000013334 },
    ],
  },
};

export const awsLambdaArm: PriceTable = {
  ...COMMON,
  plan: 'on demand, arm64',
  rates: {
    perMillionRequests: 0.2,
    perGbSecond: [
      { upTo: 7.5e9, rate: 0.0000133334 },
      { upTo: 18.75e9, rate: 0.0000120001 },
      { upTo: Infinity, rate: 0.0000106667 },
    ],
  },
};
