/** Warming: true numbers, and the job stays untouched. */

import { ECHO } from '../bootstraps.js';
import type { Section } from '../case.js';
import type { CaseContext } from '../context.js';
import { check, checkSame, checkStatus } from '../expect.js';

async function warmed(context: CaseContext, id: string): Promise<number> {
  const reply = await context.send('POST', `/api/functions/${id}/warm`);
  checkStatus(reply, 200);
  const { instances_warmed: count } = reply.json();
  check(Number.isInteger(count) && Number(count) >= 0, 'instances_warmed: 0 or more', count);
  return Number(count);
}

export const warm: Section = {
  name: 'warm',
  cases: [
    {
      id: 'warm-01',
      cites: 'WRM-1',
      title: 'the reply names the function, status warm and instances_warmed',
      async run(context) {
        const id = await context.deploy(ECHO);
        const reply = await context.send('POST', `/api/functions/${id}/warm`);
        checkStatus(reply, 200);
        checkSame(
          [reply.json()['function_id'], reply.json()['status']],
          [id, 'warm'],
          '[function_id, status]',
        );
        await warmed(context, id);
      },
    },
    {
      id: 'warm-02',
      cites: 'WRM-2',
      title: 'warming counts as no call',
      async run(context) {
        const id = await context.deploy(ECHO);
        for (let n = 0; n < 3; n++) await warmed(context, id);
        checkSame(await context.invocations(id), 0, 'total_invocations');
      },
    },
    {
      id: 'warm-03',
      cites: 'WRM-3',
      title: 'instances_warmed is never above max_concurrency',
      async run(context) {
        const id = await context.deploy(ECHO, { max_concurrency: 1 });
        const count = await warmed(context, id);
        check(count <= 1, '0 or 1', count);
      },
    },
    {
      id: 'warm-04',
      cites: 'WRM-3',
      title: 'after a number above 0 the next call is not cold',
      async run(context) {
        const id = await context.deploy(ECHO);
        if ((await warmed(context, id)) === 0) return;
        const reply = await context.invoke(id, '');
        checkStatus(reply, 200);
        checkSame(reply.json()['cold_start'], false, 'cold_start');
      },
    },
  ],
};
