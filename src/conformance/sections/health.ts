/** Health. */

import { answering, ECHO, printing } from '../bootstraps.js';
import type { Section } from '../case.js';
import { check, checkFailure, checkSame, checkStatus, isTime } from '../expect.js';

export const health: Section = {
  name: 'health',
  cases: [
    {
      id: 'health-01',
      cites: 'HLT-1',
      title: 'a deployed function is healthy, with function_id and total_invocations',
      async run(context) {
        const id = await context.deploy(ECHO);
        const reply = await context.send('GET', `/api/functions/${id}/health`);
        checkStatus(reply, 200);
        const { function_id, status, total_invocations: total } = reply.json();
        checkSame(
          [function_id, status, total],
          [id, 'healthy', 0],
          '[function_id, status, total_invocations]',
        );
      },
    },
    {
      id: 'health-02',
      cites: 'HLT-2',
      title: 'last_invocation is absent before the first call and a time after it',
      async run(context) {
        const id = await context.deploy(ECHO);
        check(
          (await context.health(id))['last_invocation'] === undefined,
          'no last_invocation',
          await context.health(id),
        );
        await context.invoke(id, '');
        const after = await context.health(id);
        check(isTime(after['last_invocation']), 'last_invocation: a time', after);
        const ageMs = Math.abs(Date.now() - Date.parse(String(after['last_invocation'])));
        check(ageMs < 600_000, 'a time of this minute', after);
      },
    },
    {
      id: 'health-03',
      cites: 'HLT-2',
      title: 'total_invocations counts good calls and failed ones',
      async run(context) {
        const good = await context.deploy(answering('good'));
        const bad = await context.deploy(printing('', { exitCode: 1 }));
        for (let n = 0; n < 3; n++) await context.invoke(good, '');
        for (let n = 0; n < 2; n++) await context.invoke(bad, '');
        checkSame(
          [await context.invocations(good), await context.invocations(bad)],
          [3, 2],
          'total_invocations',
        );
      },
    },
    {
      id: 'health-04',
      cites: 'REC-2',
      title: 'a function that was removed is not healthy but 404',
      async run(context) {
        const id = await context.deploy(ECHO);
        checkStatus(await context.send('DELETE', `/api/functions/${id}`), 200);
        checkFailure(await context.send('GET', `/api/functions/${id}/health`), 404, 'NOT_FOUND');
      },
    },
  ],
};
