/** Feature `cancel`. It is about asynchronous calls, so it needs `async` as well. */
import { randomUUID } from 'node:crypto';
import { answering, ECHO, sleeping } from '../bootstraps.js';
import type { Section } from '../case.js';
import type { CaseContext } from '../context.js';
import { check, checkFailure, checkSame, checkStatus } from '../expect.js';
import { accepted, begin, ended, read } from './async-calls.js';

const needs = ['cancel', 'async'] as const;

async function cancelCall(context: CaseContext, invocationId: string): Promise<Record<string, unknown>> {
  const reply = await context.send('POST', `/api/invocations/${invocationId}/cancel`);
  checkStatus(reply, 200);
  return reply.json();
}

export const cancel: Section = {
  name: 'cancel',
  cases: [
    {
      id: 'cancel-01',
      cites: 'CAN-1',
      title: 'a pending call becomes cancelled and never runs',
      needs,
      async run(context) {
        const id = await context.deploy(sleeping(1.5), { max_concurrency: 1 });
        const first = accepted(await begin(context, id, 'first'));
        await context.eventually(3000, async () => (await read(context, first))['status'] === 'running');
        const second = accepted(await begin(context, id, 'second'));
        checkSame((await cancelCall(context, second))['status'], 'cancelled', 'status');
        await ended(context, first);
        await context.sleep(300);
        const record = await read(context, second);
        checkSame([record['status'], record['executed']], ['cancelled', 'no'], '[status, executed]');
        checkSame(await context.invocations(id), 1, 'total_invocations');
      },
    },
    {
      id: 'cancel-02',
      cites: 'CAN-2',
      title: 'a running call is killed and becomes cancelled, for good',
      needs,
      async run(context) {
        const id = await context.deploy(sleeping(1, 'survived'), { max_concurrency: 1 });
        const invocation = accepted(await begin(context, id, ''));
        const isRunning = await context.eventually(
          3000,
          async () => (await read(context, invocation))['status'] === 'running',
        );
        check(isRunning, 'status running', await read(context, invocation));
        await cancelCall(context, invocation);
        checkSame((await ended(context, invocation))['status'], 'cancelled', 'status');
        await context.sleep(3000);
        const record = await read(context, invocation);
        checkSame(record['status'], 'cancelled', 'status after the function would have ended');
        check(!('result' in record), 'no result', record);
      },
    },
    {
      id: 'cancel-03',
      cites: 'CAN-2',
      title: 'the place of a cancelled call is free at once',
      needs,
      async run(context) {
        const id = await context.deploy(sleeping(10), { max_concurrency: 1 });
        const first = accepted(await begin(context, id, 'first'));
        await context.eventually(3000, async () => (await read(context, first))['status'] === 'running');
        const second = accepted(await begin(context, id, 'second'));
        await cancelCall(context, first);
        const isNext = await context.eventually(
          3000,
          async () => (await read(context, second))['status'] === 'running',
        );
        const record = await read(context, second);
        await cancelCall(context, second);
        check(isNext, 'the next call running within 3 s', record);
      },
    },
    {
      id: 'cancel-04',
      cites: 'CAN-3',
      title: 'a completed call stays completed',
      needs,
      async run(context) {
        const invocation = accepted(await begin(context, await context.deploy(answering('done')), ''));
        const before = await ended(context, invocation);
        checkSame((await cancelCall(context, invocation))['status'], 'completed', 'status');
        checkSame(await read(context, invocation), before, 'the record');
      },
    },
    {
      id: 'cancel-05',
      cites: 'CAN-3',
      title: 'cancelling twice is fine',
      needs,
      async run(context) {
        const invocation = accepted(await begin(context, await context.deploy(sleeping(5)), ''));
        await cancelCall(context, invocation);
        await ended(context, invocation);
        checkSame((await cancelCall(context, invocation))['status'], 'cancelled', 'status');
      },
    },
    {
      id: 'cancel-06',
      cites: 'CAN-4',
      title: 'an unknown invocation is 404',
      needs,
      async run(context) {
        await context.shared(ECHO);
        checkFailure(await context.send('POST', `/api/invocations/${randomUUID()}/cancel`), 404, 'NOT_FOUND');
      },
    },
    {
      id: 'cancel-07',
      cites: 'CAN-5',
      title: 'the record says CANCELLED, not that another try may help',
      needs,
      async run(context) {
        const invocation = accepted(await begin(context, await context.deploy(sleeping(5)), ''));
        await cancelCall(context, invocation);
        checkSame((await ended(context, invocation))['code'], 'CANCELLED', 'code');
      },
    },
  ],
};
