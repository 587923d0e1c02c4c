import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { parseGoDuration, parseQuantity } from '../src/domain/go-values.js';
import type { Scale } from '../src/domain/web-function.js';
import { Scaler } from '../src/pool/scaler.js';

const OPTIONS = { targetPerSec: 5, downAfterMs: 10_000 };

/** Feeds a rate for so many seconds, a look each second. @returns the replicas after each look */
function run(scaler: Scaler, scale: Scale, rates: readonly number[]): number[] {
  let replicas = scale.replicas;
  let requests = 0;
  let now = 0;
  scaler.next({ ...scale, replicas }, requests, false, now);
  return rates.map((rate) => {
    requests += rate;
    now += 1000;
    replicas = scaler.next({ ...scale, replicas }, requests, false, now);
    return replicas;
  });
}

const times = (count: number, rate: number): number[] => Array.from({ length: count }, () => rate);

describe('the number of instances', () => {
  it('rises at once with the load, and falls when the load has been low for a while', () => {
    const scaler = new Scaler(0, OPTIONS);
    const after = run(scaler, { replicas: 1, min: 1, max: 4 }, [...times(3, 12), ...times(15, 0)]);
    expect(after.slice(0, 3)).toEqual([3, 3, 3]);
    expect(after.slice(3, 13)).toEqual(times(10, 3));
    expect(after.at(-1)).toBe(1);
  });

  it('is never above the maximum', () => {
    expect(run(new Scaler(0, OPTIONS), { replicas: 1, min: 1, max: 2 }, times(3, 1000))).toEqual([2, 2, 2]);
  });

  it('is left alone where minimum and maximum are the same', () => {
    expect(run(new Scaler(0, OPTIONS), { replicas: 2, min: 2, max: 2 }, times(30, 0)).at(-1)).toBe(2);
  });

  it('is zero when nobody has asked for long enough, and a request wakes it elsewhere', () => {
    const scale = { replicas: 1, min: 1, max: 1, zeroAfterSecs: 5 };
    expect(run(new Scaler(0, OPTIONS), scale, times(6, 0))).toEqual([1, 1, 1, 1, 0, 0]);
    expect(run(new Scaler(0, OPTIONS), scale, times(20, 1)).at(-1)).toBe(1);
  });

  it('is not zero while a request is under way', () => {
    const scaler = new Scaler(0, OPTIONS);
    const scale = { replicas: 1, min: 1, max: 1, zeroAfterSecs: 1 };
    expect([1000, 5000, 9000].map((now) => scaler.next(scale, 1, true, now))).toEqual([1, 1, 1]);
    expect(scaler.next(scale, 1, false, 10_001)).toBe(0);
  });

  it('stays within its bounds whatever the load does', () => {
    fc.assert(
      fc.property(fc.nat(5), fc.nat(5), fc.array(fc.nat(100), { maxLength: 60 }), (min, more, rates) => {
        const scale = { replicas: Math.max(min, 1), min, max: Math.max(min, 1) + more };
        for (const replicas of run(new Scaler(0, OPTIONS), scale, rates)) {
          expect(replicas).toBeGreaterThanOrEqual(Math.max(min, 1));
          expect(replicas).toBeLessThanOrEqual(scale.max);
        }
      }),
    );
  });
});

describe('durations and quantities', () => {
  it.each([
    ['10s', 10_000],
    ['1m30s', 90_000],
    ['500ms', 500],
    ['1.5h', 5_400_000],
    ['15', 15_000],
    ['', undefined],
    ['abc', undefined],
    ['10x', undefined],
    ['-1s', undefined],
    ['1s ', undefined],
    ['s', undefined],
  ])('the duration %j is %j ms', (text, expected) => {
    expect(parseGoDuration(text)).toBe(expected);
  });

  it.each([
    ['128Mi', 128 * 1024 * 1024],
    ['128M', 128_000_000],
    ['1.5Gi', 1.5 * 1024 ** 3],
    ['1000', 1000],
    ['12 Mi', undefined],
    ['Mi', undefined],
    ['-1Mi', undefined],
  ])('the quantity %j is %j bytes', (text, expected) => {
    expect(parseQuantity(text)).toBe(expected);
  });
});
