import { describe, it } from 'vitest';

import { expectToStandDamage } from './support/archives.js';

describe('damaged archives', () => {
  it('are refused with a reason, write nothing outside, and take little memory (every prefix, 2,000 flips)', {
    timeout: 240_000,
  }, async () => {
    await expectToStandDamage(2000);
  });
});
