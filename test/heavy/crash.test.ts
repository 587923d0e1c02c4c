/** Fifty crashes of the platform under two thousand asynchronous calls; the small version is in platform/test. */
import { describe, it } from 'vitest';
import { expectNothingLost } from '../../platform/test/support/crash-suite.js';

describe('kill -9 of the platform while it runs asynchronous calls', () => {
  it('loses none, ends each once, and runs few again (50 kills, 2,000 calls)', async () => {
    await expectNothingLost({ kills: 50, calls: 2000, concurrency: 4, seed: 20_261_121 });
  });
});
