/** Many calls at once. */

import { ECHO, timed } from '../bootstraps.js';
import type { Section } from '../case.js';
import type { CaseContext } from '../context.js';
import {
  CouldNotRun,
  check,
  checkErrorForm,
  checkResult,
  checkSame,
  checkStatus,
  describeReply,
} from '../expect.js';
import type { Reply } from '../http.js';
import { packScript } from '../zip.js';

async function atOnce(context: CaseContext, id: string, count: number): Promise<Reply[]> {
  return await Promise.all(
    Array.from({ length: count }, async (_, n) => await context.invoke(id, Uint8Array.of(n), { jobId: n })),
  );
}

function checkRefusal(reply: Reply): void {
  const body = checkErrorForm(reply);
  check(body['executed'] === 'no', 'executed: "no"', describeReply(reply));
  const retryAfter = String(reply.headers['retry-after'] ?? 'no Retry-After');
  check(/^\d+$/.test(retryAfter), 'Retry-After in whole seconds', retryAfter);
}

/** When a call of `timed` began and ended, in nanoseconds. */
function spanOf(reply: Reply): number[] {
  const span = checkResult(reply).toString().split(' ').map(Number);
  if (span.some((time) => !(time > 1e18))) throw new CouldNotRun('functions have no date +%N');
  return span;
}

export const concurrency: Section = {
  name: 'concurrency',
  alone: true,
  cases: [
    {
      id: 'concurrency-01',
      cites: 'CON-1',
      title: 'five calls at once with max_concurrency 2 never run more than two at a time',
      async run(context) {
        const id = await context.deploy(timed(0.25), { max_concurrency: 2 });
        const ran = (await atOnce(context, id, 5)).filter(({ status }) => status === 200);
        const spans = ran.map(spanOf);
        // The most that overlap is found at one of the beginnings.
        const most = Math.max(
          0,
          ...spans.map(([at = 0]) => spans.filter(([from = 0, to = 0]) => from <= at && at < to).length),
        );
        check(most > 0 && most <= 2, '1 or 2 at a time', most);
      },
    },
    {
      id: 'concurrency-02',
      cites: 'CON-2',
      title: 'calls above max_concurrency wait, or are 429 THROTTLED with Retry-After',
      async run(context) {
        const id = await context.deploy(timed(0.25), { max_concurrency: 1 });
        for (const reply of await atOnce(context, id, 4)) {
          if (reply.status === 200) continue;
          check(reply.status === 429, '200 or 429', describeReply(reply));
          check(reply.json()['code'] === 'THROTTLED', 'THROTTLED', describeReply(reply));
          checkRefusal(reply);
        }
      },
    },
    {
      id: 'concurrency-03',
      cites: 'CON-5',
      title: 'calls of two functions do not wait for one another',
      async run(context) {
        const [slow, quick] = [
          await context.deploy(timed(2), { max_concurrency: 1 }),
          await context.deploy(timed(0), { max_concurrency: 1 }),
        ];
        const waiting = context.invoke(slow, '');
        await context.sleep(200);
        const reply = await context.invoke(quick, '');
        checkResult(await waiting);
        checkResult(reply);
        const { durationMs } = reply;
        check(durationMs < 1500, 'a reply before the slow call ends', `${Math.round(durationMs)} ms`);
      },
    },
    {
      id: 'concurrency-04',
      cites: 'CON-3',
      title: 'of 100 calls at once each gets its own result or a refusal',
      async run(context) {
        const id = await context.deploy(ECHO, { max_concurrency: 100 });
        for (const [n, reply] of (await atOnce(context, id, 100)).entries()) {
          if (reply.status === 429 || reply.status === 503) {
            checkRefusal(reply);
            continue;
          }
          checkSame([...checkResult(reply)], [n], `result of call ${n}`);
          checkSame(reply.json()['job_id'], n, `job_id of call ${n}`);
        }
      },
    },
    {
      id: 'concurrency-05',
      cites: 'CON-4',
      title: '100 calls at once all succeed',
      async run(context) {
        const id = await context.deploy(ECHO, { max_concurrency: 100 });
        const statuses = (await atOnce(context, id, 100)).map(({ status }) => status);
        const failed = statuses.filter((status) => status !== 200);
        check(
          failed.length === 0,
          '100 times 200',
          `${failed.length} others: ${[...new Set(failed)].join(', ')}`,
        );
      },
    },
    {
      id: 'concurrency-06',
      cites: 'CON-1',
      title: 'a running call keeps its place while its function is replaced',
      async run(context) {
        const id = await context.deploy(timed(1.5), { max_concurrency: 1 });
        const first = context.invoke(id, '');
        const isRunning = await context.eventually(1000, async () => (await context.invocations(id)) === 1);
        const query = { query: '?replace=true' };
        checkStatus(await context.put(id, packScript(timed(0)), { max_concurrency: 1 }, query), 200);
        const second = await context.invoke(id, '');
        const [, ended = 0] = spanOf(await first);
        if (!isRunning) throw new CouldNotRun('the first call was not counted within a second');
        if (second.status === 429) return;
        const [began = 0] = spanOf(second);
        check(
          began >= ended,
          'the second call to begin after the end of the first',
          `${ended - began} ns before`,
        );
      },
    },
  ],
};
