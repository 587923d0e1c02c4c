/** `/job/{n}`: the URL a 1.0 client calls. */

import { answering, ECHO } from '../bootstraps.js';
import type { Case, Section } from '../case.js';
import { JSON_TYPE } from '../context.js';
import {
  check,
  checkCallFailure,
  checkErrorForm,
  checkFailure,
  checkResult,
  checkSame,
  checkStatus,
  describeReply,
} from '../expect.js';

export const jobEndpoint: Section = {
  name: 'job',
  cases: [
    {
      id: 'job-01',
      cites: 'JOB-1',
      title: 'POST /job/{n} runs the function job{n}',
      async run(context) {
        const n = context.jobNumber();
        await context.deploy(ECHO, undefined, `job${n}`);
        const body = JSON.stringify({ job_id: n, args: [4, 5] });
        const reply = await context.send('POST', `/job/${n}`, { headers: JSON_TYPE, body });
        checkSame([...checkResult(reply)], [4, 5], 'result');
        checkSame(reply.json()['job_id'], n, 'job_id');
      },
    },
    {
      id: 'job-02',
      cites: 'JOB-1',
      title: 'POST /job/{n} of an unknown job is 404',
      async run(context) {
        const n = context.jobNumber();
        const body = JSON.stringify({ job_id: n, args: [] });
        checkCallFailure(
          await context.send('POST', `/job/${n}`, { headers: JSON_TYPE, body }),
          404,
          'NOT_FOUND',
          'no',
        );
      },
    },
    {
      id: 'job-03',
      cites: 'JOB-2',
      title: 'HEAD /job/{n} is 404 before and 200 after the deploy, without a body',
      async run(context) {
        const n = context.jobNumber();
        checkStatus(await context.send('HEAD', `/job/${n}`), 404);
        await context.deploy(ECHO, undefined, `job${n}`);
        const reply = await context.send('HEAD', `/job/${n}`);
        checkStatus(reply, 200);
        check(reply.body.length === 0, 'no body', describeReply(reply));
      },
    },
    ...['4294967296', '-1', '1.5', 'abc', '07'].map(
      (n, index): Case => ({
        id: `job-0${index + 4}`,
        cites: 'JOB-3',
        title: `/job/${n} is refused with 400`,
        async run(context) {
          const reply = await context.send('POST', `/job/${n}`, {
            headers: JSON_TYPE,
            body: '{"job_id":7,"args":[]}',
          });
          checkStatus(reply, 400);
          checkErrorForm(reply);
        },
      }),
    ),
    {
      id: 'job-09',
      cites: 'JOB-3',
      title: 'n and n + 256 are different jobs, and so are n and n + 65536',
      async run(context) {
        const n = context.jobNumber();
        const far = n + 65_536 + 256;
        await context.deploy(answering('near'), undefined, `job${n}`);
        for (const other of [n + 256, n + 65_536, n & 255, far]) {
          const path = `/api/functions/job${other >>> 0}`;
          const isThere = (await context.send('GET', path)).status === 200;
          if (isThere) continue; // somebody else's
          const body = JSON.stringify({ job_id: other >>> 0, args: [] });
          const reply = await context.send('POST', `/job/${other >>> 0}`, { headers: JSON_TYPE, body });
          checkFailure(reply, 404, 'NOT_FOUND');
        }
      },
    },
  ],
};
