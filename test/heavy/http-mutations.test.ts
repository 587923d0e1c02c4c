/** A hundred thousand mutated requests over raw sockets; the small version is in platform/test. */
import { describe, it } from 'vitest';
import { expectToStandMutations } from '../../platform/test/support/http-mutations.js';

describe('mutated HTTP', () => {
  it('is answered or cut, and the platform goes on (100,000 requests)', async () => {
    await expectToStandMutations(100_000, 1);
  });
});
