import { expect, it } from 'vitest';
import { memoryMbOf } from '../../src/executors/gcp-functions/memory.js';

it.each([
  ['256Mi', 256],
  ['1Gi', 1024],
  ['0.5Gi', 512],
  ['512M', 488],
  ['1G', 954],
  ['524288Ki', 512],
  ['268435456', 256],
  ['', undefined],
  ['much', undefined],
  ['1Ti', undefined],
  [undefined, undefined],
])('reads %s as %s MiB: origin-defects: `1Gi` and `512M` were both 512', (text, mb) => {
  expect(memoryMbOf(text)).toBe(mb);
});
