/** Sums worked out by hand from the providers' formulas; where a provider publishes an example, it is that one. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Estimate, estimate, PRICES, type PriceTable, type Workload } from '../../src/costs/index.js';
import { FaasError } from '../../src/index.js';

function on(provider: string, workload: Workload, plan = ''): Estimate {
  const table = PRICES.find((one) => one.provider === provider && one.plan.includes(plan)) as PriceTable;
  const [row] = estimate(workload, [table]);
  if (row === undefined || 'reason' in row) throw new Error(`no estimate: ${row?.reason}`);
  return row;
}

describe('AWS Lambda', () => {
  it('3 million calls of 120 ms with 512 MB: 180 000 GB-seconds', () => {
    // 3e6 × 0.12 s × 0.5 GB = 180 000 GB-s × 0.0000166667 = 3.000006; 3 × 0.20 = 0.60.
    const month = on('aws-lambda', { calls: 3e6, durationMs: 120, memoryMb: 512 });
    expect(month.usage.gbSeconds).toBeCloseTo(180_000, 6);
    expect(month.full).toBeCloseTo(3.600_006, 6);
    // The GB-seconds are inside the free 400 000; two million requests are not.
    expect(month.afterFreeTier).toBeCloseTo(0.4, 6);
  });

  it('arm64 has rates of its own', () => {
    const month = on('aws-lambda', { calls: 3e6, durationMs: 120, memoryMb: 512 }, 'arm64');
    expect(month.full).toBeCloseTo(180_000 * 0.0000133334 + 0.6, 6);
  });

  it('beyond 6 billion GB-seconds each tier has its rate', () => {
    // 1e9 calls × 20 s × 1 GB = 20e9: 6e9 × .0000166667 + 9e9 × .000015 + 5e9 × .000013334 = 100000.2 + 135000 + 66670.
    const month = on('aws-lambda', { calls: 1e9, durationMs: 20_000, memoryMb: 1024 });
    expect(month.full).toBeCloseTo(100_000.2 + 135_000 + 66_670 + 200, 3);
  });

  it('time is rounded up to 1 ms', () => {
    expect(on('aws-lambda', { calls: 1, durationMs: 1.0001, memoryMb: 128 }).billedMs).toBe(2);
  });
});

describe('Google Cloud functions', () => {
  it('10 million calls of 130 ms with 512 MB are charged as 200 ms of 0.333 vCPU', () => {
    // 2e6 s × 0.333 = 666 000 vCPU-s × 0.000024 = 15.984; 1e6 GiB-s × 0.0000025 = 2.5; 10 × 0.40 = 4.
    const month = on('gcp-functions', { calls: 1e7, durationMs: 130, memoryMb: 512 });
    expect(month.billedMs).toBe(200);
    expect(month.full).toBeCloseTo(22.484, 6);
    // (666 000 − 180 000) × 0.000024 + (1 000 000 − 360 000) × 0.0000025 + 8 × 0.40 = 11.664 + 1.6 + 3.2.
    expect(month.afterFreeTier).toBeCloseTo(16.464, 6);
  });
});

describe('Azure Functions', () => {
  it('a call of 120 ms is charged as 1000 ms of an instance of 2048 MB, where 600 MB are wanted', () => {
    // 1e6 × 1 s × 2 GB × 0.000026 = 52; 1 × 0.40.
    const month = on('azure-functions', { calls: 1e6, durationMs: 120, memoryMb: 600 });
    expect(month).toMatchObject({ billedMs: 1000, billedMemoryMb: 2048 });
    expect(month.full).toBeCloseTo(52.4, 6);
    expect(month.afterFreeTier).toBeCloseTo(1_900_000 * 0.000026 + 0.75 * 0.4, 6);
  });
});

describe('DigitalOcean Functions', () => {
  // The examples of https://www.digitalocean.com/pricing/functions.
  it.each([
    { calls: 1e6, memoryMb: 128, durationMs: 100, usd: 0 },
    { calls: 3.6e6, memoryMb: 256, durationMs: 100, usd: 0 },
    { calls: 1e7, memoryMb: 512, durationMs: 100, usd: 7.59 },
    { calls: 1.5e7, memoryMb: 512, durationMs: 200, usd: 26.08 },
    { calls: 2e7, memoryMb: 1024, durationMs: 500, usd: 183.33 },
  ])('$calls calls of $durationMs ms with $memoryMb MB cost $usd', ({ usd, ...workload }) => {
    const sum = on('digitalocean', workload).afterFreeTier;
    expect(Math.abs(sum - usd)).toBeLessThan(0.011);
  });
});

describe('an estimate', () => {
  it('names why there is none', () => {
    const rows = estimate({ calls: 1, durationMs: 1, memoryMb: 4096 });
    const reasonOf = (provider: string) => rows.find((row) => row.prices.provider === provider);
    expect(reasonOf('e2e-openfaas')).toMatchObject({ reason: 'its rates are not known' });
    expect(reasonOf('digitalocean')).toMatchObject({ reason: 'a function takes 1024 MB at most' });
  });

  it.each([
    { calls: -1, durationMs: 1, memoryMb: 1 },
    { calls: 1, durationMs: Number.NaN, memoryMb: 1 },
    { calls: 1, durationMs: 1, memoryMb: 0 },
  ])('refuses %o', (workload) => {
    expect(() => estimate(workload)).toThrow(FaasError);
  });

  it('never falls with more calls, time or memory, and is never below what the free tier leaves', () => {
    const workload = fc.record({
      calls: fc.integer({ min: 0, max: 1e9 }),
      durationMs: fc.integer({ min: 0, max: 300_000 }),
      memoryMb: fc.integer({ min: 1, max: 1024 }),
    });
    fc.assert(
      fc.property(workload, fc.constantFrom('calls', 'durationMs', 'memoryMb'), (small, name) => {
        const large = { ...small, [name]: Math.min(small[name] * 2, name === 'memoryMb' ? 1024 : Infinity) };
        const before = estimate(small);
        estimate(large).forEach((row, index) => {
          const other = before[index];
          if ('reason' in row || other === undefined || 'reason' in other) return;
          expect(row.full).toBeGreaterThanOrEqual(other.full);
          expect(row.afterFreeTier).toBeLessThanOrEqual(row.full);
          expect(row.afterFreeTier).toBeGreaterThanOrEqual(0);
        });
      }),
    );
  });
});

describe('price tables', () => {
  it.each(PRICES)('$provider, $plan: a date, a source, and ascending tiers', (prices) => {
    expect(prices.asOf).toMatch(/^\d{4}-\d\d-\d\d$/);
    expect(prices.sources.length).toBeGreaterThan(0);
    for (const source of prices.sources) expect(URL.canParse(source)).toBe(true);
    const ends = prices.rates?.perGbSecond.map(({ upTo }) => upTo) ?? [Infinity];
    expect(ends).toEqual([...ends].sort((a, b) => a - b));
    expect(ends.at(-1)).toBe(Infinity);
  });
});
