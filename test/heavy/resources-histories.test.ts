import { expect, it } from 'vitest';
import { history } from '../resources/histories.js';

it('1,000 random histories of declared functions end as the last file says', async () => {
  let cuts = 0;
  for (let seed = 1001; seed <= 2000; seed += 1) cuts += (await history(seed)).cuts;
  expect(cuts).toBeGreaterThan(1000);
});
