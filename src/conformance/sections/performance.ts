/** The targets of the standard, on whatever machine this is. */

import { ECHO } from '../bootstraps.js';
import type { Section } from '../case.js';
import { CouldNotRun, check, checkStatus } from '../expect.js';

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

export const performanceTargets: Section = {
  name: 'performance',
  alone: true,
  cases: [
    {
      id: 'performance-01',
      cites: 'PRF-1',
      title: 'half of 30 calls take less than 500 ms',
      async run(context) {
        const id = await context.shared(ECHO);
        const times: number[] = [];
        for (let n = 0; n < 30; n++) times.push((await context.invoke(id, '')).durationMs);
        const p50 = quantile(
          times.toSorted((a, b) => a - b),
          0.5,
        );
        check(p50 < 500, 'p50 below 500 ms', `${p50.toFixed(1)} ms`);
      },
    },
    {
      id: 'performance-02',
      cites: 'PRF-2',
      title: 'warm calls: half below 50 ms, 99 of 100 below 100 ms',
      async run(context) {
        const id = await context.shared(ECHO);
        const warm: number[] = [];
        for (let n = 0; n < 100; n++) {
          const reply = await context.invoke(id, '');
          checkStatus(reply, 200);
          if (reply.json()['cold_start'] === false) warm.push(reply.durationMs);
        }
        if (warm.length < 20)
          throw new CouldNotRun(`only ${warm.length} of 100 calls reported cold_start: false`);
        const sorted = warm.toSorted((a, b) => a - b);
        const [p50, p99] = [quantile(sorted, 0.5), quantile(sorted, 0.99)];
        check(
          p50 < 50 && p99 < 100,
          'p50 below 50 ms, p99 below 100 ms',
          `${p50.toFixed(1)} and ${p99.toFixed(1)} ms`,
        );
      },
    },
  ],
};
