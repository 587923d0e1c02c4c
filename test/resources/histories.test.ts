import { expect, it } from 'vitest';
import { history } from './histories.js';

it('200 random histories of files, cuts and changes by hand end as the last file says', async () => {
  let cuts = 0;
  for (let seed = 1; seed <= 200; seed += 1) cuts += (await history(seed)).cuts;
  // Most histories are cut off somewhere, or this proves little.
  expect(cuts).toBeGreaterThan(200);
});
