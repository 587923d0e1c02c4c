/** Every prefix of ten archives and a hundred thousand flipped ones; the small version is in platform/test. */
import { describe, it } from 'vitest';
import { expectToStandDamage } from '../../platform/test/support/archives.js';

describe('damaged archives', () => {
  it('are refused with a reason, write nothing outside, and take little memory (100,000 flips)', async () => {
    await expectToStandDamage(100_000);
  });
});
