/** Feature `idempotency`. */
import { randomUUID } from 'node:crypto';
import { printing, RANDOM, sleeping } from '../bootstraps.js';
import type { Case, Section } from '../case.js';
import type { CaseContext } from '../context.js';
import { check, checkCallFailure, checkResult, checkSame, checkStatus, describeReply } from '../expect.js';
import type { Reply } from '../http.js';

const needs = ['idempotency'] as const;

async function keyed(
  context: CaseContext,
  id: string,
  key: string,
  { args = 'same', jobId = 7 }: { args?: string; jobId?: number } = {},
): Promise<Reply> {
  return await context.invoke(id, args, { jobId, headers: { 'x-faas-idempotency-key': key } });
}

function checkReplayed(reply: Reply): void {
  checkSame(reply.headers['x-faas-replayed'], 'true', 'X-Faas-Replayed');
}

export const idempotency: Section = {
  name: 'idempotency',
  cases: [
    {
      id: 'idempotency-01',
      cites: 'IDM-1',
      title: 'the same key and content get the stored reply, and the function runs once',
      needs,
      async run(context) {
        const id = await context.deploy(RANDOM);
        const key = randomUUID();
        const first = await keyed(context, id, key);
        const again = await keyed(context, id, key);
        check(
          first.headers['x-faas-replayed'] === undefined,
          'a first reply without X-Faas-Replayed',
          first.headers,
        );
        checkReplayed(again);
        checkSame(checkResult(again).toString('hex'), checkResult(first).toString('hex'), 'result');
        checkSame(await context.invocations(id), 1, 'total_invocations');
      },
    },
    {
      id: 'idempotency-02',
      cites: 'IDM-1',
      title: 'other keys and no key are calls of their own',
      needs,
      async run(context) {
        const id = await context.deploy(RANDOM);
        for (const key of [randomUUID(), randomUUID()]) checkStatus(await keyed(context, id, key), 200);
        checkStatus(await context.invoke(id, 'same'), 200);
        checkSame(await context.invocations(id), 3, 'total_invocations');
      },
    },
    ...(
      [
        ['other arguments', { args: 'other' }],
        ['another job id', { jobId: 8 }],
      ] as const
    ).map(
      ([what, change], index): Case => ({
        id: `idempotency-0${index + 3}`,
        cites: 'IDM-2',
        title: `the same key with ${what} is 422`,
        needs,
        async run(context) {
          const id = await context.deploy(RANDOM);
          const key = randomUUID();
          checkStatus(await keyed(context, id, key), 200);
          checkCallFailure(await keyed(context, id, key, change), 422, 'IDEMPOTENCY_MISMATCH', 'no');
          checkSame(await context.invocations(id), 1, 'total_invocations');
        },
      }),
    ),
    {
      id: 'idempotency-05',
      cites: 'IDM-3',
      title: 'while the first call runs the key is 409 IN_PROGRESS with Retry-After',
      needs,
      async run(context) {
        const id = await context.deploy(sleeping(1), { max_concurrency: 5 });
        const key = randomUUID();
        const first = keyed(context, id, key);
        await context.sleep(400);
        const reply = await keyed(context, id, key);
        checkCallFailure(reply, 409, 'IN_PROGRESS', 'maybe');
        const retryAfter = String(reply.headers['retry-after'] ?? 'no Retry-After');
        check(/^\d+$/.test(retryAfter), 'Retry-After in whole seconds', retryAfter);
        checkStatus(await first, 200);
        checkReplayed(await keyed(context, id, key));
      },
    },
    {
      id: 'idempotency-06',
      cites: 'IDM-4',
      title: 'a failure of the function is stored and replayed',
      needs,
      async run(context) {
        const id = await context.deploy(printing('{"result":[],"success":false,"error":"once"}'));
        const key = randomUUID();
        checkCallFailure(await keyed(context, id, key), 500, 'FUNCTION_ERROR', 'yes');
        const again = await keyed(context, id, key);
        checkCallFailure(again, 500, 'FUNCTION_ERROR', 'yes');
        checkReplayed(again);
        checkSame(await context.invocations(id), 1, 'total_invocations');
      },
    },
    {
      id: 'idempotency-07',
      cites: 'IDM-4',
      title: 'a refusal is not stored: the key works once the function is there',
      needs,
      async run(context) {
        const id = context.name();
        const key = randomUUID();
        checkCallFailure(await keyed(context, id, key), 404, 'NOT_FOUND', 'no');
        await context.deploy(RANDOM, undefined, id);
        const reply = await keyed(context, id, key);
        checkResult(reply);
        check(reply.headers['x-faas-replayed'] === undefined, 'no X-Faas-Replayed', describeReply(reply));
      },
    },
    {
      id: 'idempotency-08',
      cites: 'IDM-5',
      title: 'the same key on another function is another call',
      needs,
      async run(context) {
        const [one, two] = [await context.deploy(RANDOM), await context.deploy(RANDOM)];
        const key = randomUUID();
        checkStatus(await keyed(context, one, key), 200);
        const reply = await keyed(context, two, key, { args: 'other' });
        checkStatus(reply, 200);
        check(reply.headers['x-faas-replayed'] === undefined, 'no X-Faas-Replayed', reply.headers);
      },
    },
    ...['has a space', 'k'.repeat(129), 'semi;colon'].map(
      (key, index): Case => ({
        id: `idempotency-${String(index + 9).padStart(2, '0')}`,
        cites: 'IDM-7',
        title: `a key of ${key.length > 40 ? `${key.length} characters` : `"${key}"`} is 400`,
        needs,
        async run(context) {
          const id = await context.shared(RANDOM);
          checkCallFailure(await keyed(context, id, key), 400, 'INVALID_REQUEST', 'no');
        },
      }),
    ),
  ],
};
