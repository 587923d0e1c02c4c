import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FaasError } from '../../src/core/errors.js';
import {
  DEFAULT_RETRY_POLICY,
  isCurable,
  mayRetry,
  RetryBudget,
  retryDelayMs,
} from '../../src/core/retry-policy.js';

const error = (code: FaasError['code'] = 'UNAVAILABLE', executed: FaasError['executed'] = 'no') =>
  new FaasError({ code, executed, message: 'for the test' });

describe('retry decisions', () => {
  it.each([
    ['THROTTLED', 'no', false, false, true],
    ['UNAVAILABLE', 'no', false, false, true],
    ['UNAVAILABLE', 'maybe', false, false, false],
    ['UNAVAILABLE', 'maybe', true, false, true],
    ['TIMEOUT', 'maybe', false, false, false],
    ['TIMEOUT', 'maybe', true, false, true],
    ['FUNCTION_ERROR', 'yes', true, false, false],
    ['FUNCTION_ERROR', 'yes', false, true, true],
    ['PROTOCOL', 'yes', false, true, false],
    ['AUTH', 'no', true, true, false],
    ['NOT_FOUND', 'no', true, true, false],
    ['INVALID_REQUEST', 'no', true, true, false],
    ['PAYLOAD_TOO_LARGE', 'no', true, true, false],
    ['CONFIG', 'no', true, true, false],
    ['CANCELLED', 'no', true, true, false],
    ['REJECTED', 'no', true, true, false],
  ] as const)(
    '%s, executed %s, idempotent %s, functionErrors %s -> %s',
    (code, executed, idempotent, asked, may) => {
      expect(mayRetry(error(code, executed), idempotent, asked)).toBe(may);
      expect(isCurable(error(code, executed), idempotent, asked)).toBe(may);
    },
  );

  it('an error that was retried further in is left alone', () => {
    expect(mayRetry(error().with({ attempts: 3 }), true, true)).toBe(false);
  });

  it('waits grow, stay within the bound, and never come before Retry-After', () => {
    const attempts = fc.integer({ min: 2, max: 40 });
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(attempts, random, (attempt, chance) => {
        const waitMs = retryDelayMs(DEFAULT_RETRY_POLICY, attempt, undefined, () => chance);
        return waitMs >= 0 && waitMs <= Math.min(20_000, 100 * 2 ** (attempt - 2));
      }),
    );
    fc.assert(
      fc.property(attempts, random, fc.integer({ min: 0, max: 20_000 }), (attempt, chance, afterMs) => {
        return retryDelayMs(DEFAULT_RETRY_POLICY, attempt, afterMs, () => chance) >= afterMs;
      }),
    );
  });

  it('the budget lets a tenth of the calls be retried in a long outage', () => {
    const budget = new RetryBudget({ reserve: 10 });
    let retries = 0;
    for (let call = 0; call < 10_000; call += 1) {
      budget.deposit();
      if (budget.withdraw()) retries += 1;
    }
    expect(retries).toBeLessThanOrEqual(1_011);
    expect(retries).toBeGreaterThan(950);
    expect(budget.available).toBeLessThan(2);
  });
});
