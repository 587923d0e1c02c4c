/** Feature `async`: 202, status by id, long poll, result, list. */
import { randomUUID } from 'node:crypto';
import { answering, ECHO, printing, RANDOM, sleeping } from '../bootstraps.js';
import type { Case, Section } from '../case.js';
import { JSON_TYPE } from '../context.js';
import {
  check,
  checkCallFailure,
  checkFailure,
  checkSame,
  checkStatus,
  describeReply,
  isTime,
} from '../expect.js';
import { accepted, begin, ended, read, TERMINAL } from './async-calls.js';

const needs = ['async'] as const;

const ENDINGS: readonly (readonly [what: string, script: string, status: string, code: string])[] = [
  [
    'a function that fails',
    printing('{"result":[],"success":false,"error":"in vain"}'),
    'failed',
    'FUNCTION_ERROR',
  ],
  ['output that is no JSON', printing('nonsense'), 'failed', 'BAD_OUTPUT'],
  ['a function that runs out of time', sleeping(20), 'timeout', 'TIMEOUT'],
];

export const asynchronous: Section = {
  name: 'async',
  cases: [
    {
      id: 'async-01',
      cites: 'ASY-1',
      title: 'the 202 names the invocation, its status and where to ask',
      needs,
      async run(context) {
        const id = await context.shared(ECHO);
        const reply = await begin(context, id, 'abc');
        const invocation = accepted(reply);
        const { function_id, job_id, status, status_url: url } = reply.json();
        checkSame([function_id, job_id], [id, 7], '[function_id, job_id]');
        check(['pending', 'running', ...TERMINAL].includes(String(status)), 'a status', status);
        check(String(url).includes(`/api/invocations/${invocation}`), 'status_url of the invocation', url);
        checkSame(reply.headers['preference-applied'], 'respond-async', 'Preference-Applied');
        const location = String(reply.headers['location'] ?? 'no Location');
        check(location.includes(`/api/invocations/${invocation}`), 'Location of the invocation', location);
      },
    },
    {
      id: 'async-02',
      cites: 'ASY-3',
      title: 'an unknown function is 404, never 202',
      needs,
      async run(context) {
        checkCallFailure(await begin(context, context.name(), ''), 404, 'NOT_FOUND', 'no');
      },
    },
    {
      id: 'async-03',
      cites: 'ASY-3',
      title: 'an invalid body is 400, never 202',
      needs,
      async run(context) {
        const reply = await context.send('POST', `/api/functions/${await context.shared(ECHO)}/invoke`, {
          headers: { ...JSON_TYPE, prefer: 'respond-async' },
          body: '{"job_id":-1,"args":[]}',
        });
        checkCallFailure(reply, 400, 'INVALID_REQUEST', 'no');
      },
    },
    {
      id: 'async-04',
      cites: 'ASY-4',
      title: 'the call id is the invocation id, and the same call again runs nothing twice',
      needs,
      async run(context) {
        const id = await context.deploy(RANDOM);
        const callId = randomUUID();
        const headers = { 'x-faas-call-id': callId };
        checkSame(accepted(await begin(context, id, 'x', { headers })), callId, 'invocation_id');
        checkSame(accepted(await begin(context, id, 'x', { headers })), callId, 'invocation_id');
        await ended(context, callId);
        checkSame(accepted(await begin(context, id, 'x', { headers })), callId, 'invocation_id');
        await context.sleep(100);
        checkSame(await context.invocations(id), 1, 'total_invocations');
      },
    },
    {
      id: 'async-05',
      cites: 'ASY-4',
      title: 'the same call id with other content is 422',
      needs,
      async run(context) {
        const id = await context.shared(RANDOM);
        const headers = { 'x-faas-call-id': randomUUID() };
        accepted(await begin(context, id, 'x', { headers }));
        checkCallFailure(await begin(context, id, 'y', { headers }), 422, 'IDEMPOTENCY_MISMATCH', 'no');
      },
    },
    {
      id: 'async-06',
      cites: 'ASY-5',
      title: 'an unknown invocation is 404',
      needs,
      async run(context) {
        checkFailure(await context.send('GET', `/api/invocations/${randomUUID()}`), 404, 'NOT_FOUND');
      },
    },
    {
      id: 'async-07',
      cites: 'ASY-6',
      title: 'a completed record holds result, times, attempts and executed',
      needs,
      async run(context) {
        const id = await context.shared(ECHO);
        const record = await ended(context, accepted(await begin(context, id, 'abc')));
        checkSame(
          [record['status'], record['function_id'], record['job_id'], record['attempts'], record['executed']],
          ['completed', id, 7, 1, 'yes'],
          '[status, function_id, job_id, attempts, executed]',
        );
        checkSame(record['result'], [97, 98, 99], 'result');
        for (const name of ['created_at', 'started_at', 'finished_at'])
          check(isTime(record[name]), `${name}: a time`, record);
      },
    },
    ...ENDINGS.map(
      ([what, script, status, code], index): Case => ({
        id: `async-${String(index + 8).padStart(2, '0')}`,
        cites: 'ASY-6',
        title: `${what} ends as ${status} with ${code}`,
        needs,
        async run(context) {
          const id = await context.deploy(script, { timeout_secs: 1 });
          const record = await ended(context, accepted(await begin(context, id, '')));
          checkSame(
            [record['status'], record['code'], record['executed']],
            [status, code, 'yes'],
            '[status, code, executed]',
          );
          check(
            typeof record['error'] === 'string' && isTime(record['finished_at']),
            'error and finished_at',
            record,
          );
          check(!('result' in record) || status === 'failed', 'no result', record);
        },
      }),
    ),
    {
      id: 'async-11',
      cites: 'ASY-7',
      title: 'a terminal record never changes again',
      needs,
      async run(context) {
        const id = await context.deploy(sleeping(0.5), { timeout_secs: 1 });
        const slow = await context.deploy(sleeping(1.5), { timeout_secs: 1 });
        const invocations = [
          accepted(await begin(context, id, '')),
          accepted(await begin(context, slow, '')),
        ];
        const before = await Promise.all(
          invocations.map(async (invocation) => await ended(context, invocation)),
        );
        await context.sleep(1200);
        const after = await Promise.all(
          invocations.map(async (invocation) => await read(context, invocation)),
        );
        checkSame(after, before, 'the records');
      },
    },
    {
      id: 'async-12',
      cites: 'ASY-8',
      title: 'wait holds the reply until the call is over, and no longer',
      needs,
      async run(context) {
        const id = await context.deploy(sleeping(0.7));
        const invocation = accepted(await begin(context, id, ''));
        const reply = await context.send('GET', `/api/invocations/${invocation}?wait=9`);
        checkStatus(reply, 200);
        checkSame(reply.json()['status'], 'completed', 'status after waiting');
        check(
          reply.durationMs < 6000,
          'a reply when the call was over',
          `${Math.round(reply.durationMs)} ms`,
        );
      },
    },
    {
      id: 'async-13',
      cites: 'ASY-8',
      title: 'wait ends after its seconds',
      needs,
      async run(context) {
        const id = await context.deploy(sleeping(6));
        const invocation = accepted(await begin(context, id, ''));
        const reply = await context.send('GET', `/api/invocations/${invocation}?wait=1`);
        checkStatus(reply, 200);
        check(!TERMINAL.includes(String(reply.json()['status'])), 'pending or running', describeReply(reply));
        const { durationMs } = reply;
        check(
          durationMs > 800 && durationMs < 4000,
          'a reply after about 1 s',
          `${Math.round(durationMs)} ms`,
        );
      },
    },
    {
      id: 'async-14',
      cites: 'ASY-8',
      title: 'a huge wait is clamped, not refused',
      needs,
      async run(context) {
        const limit = context.platform.limit('max_wait_secs') ?? 0;
        check(limit >= 10, 'max_wait_secs of at least 10', limit);
        const invocation = accepted(await begin(context, await context.shared(ECHO), ''));
        checkStatus(await context.send('GET', `/api/invocations/${invocation}?wait=999999`), 200);
      },
    },
    {
      id: 'async-15',
      cites: 'ASY-9',
      title: 'the raw result of a completed call',
      needs,
      async run(context) {
        const invocation = accepted(await begin(context, await context.shared(ECHO), '\0ÿ'));
        await ended(context, invocation);
        const headers = { accept: 'application/octet-stream' };
        const reply = await context.send('GET', `/api/invocations/${invocation}/result`, { headers });
        checkStatus(reply, 200);
        checkSame(reply.body.toString('hex'), Buffer.from('\0ÿ').toString('hex'), 'the bytes');
      },
    },
    {
      id: 'async-16',
      cites: 'ASY-9',
      title: 'no result before the end (NOT_FINISHED) and none of a failure (NO_RESULT)',
      needs,
      async run(context) {
        const slow = accepted(await begin(context, await context.deploy(sleeping(1)), ''));
        checkFailure(await context.send('GET', `/api/invocations/${slow}/result`), 409, 'NOT_FINISHED');
        const failed = accepted(await begin(context, await context.deploy(printing('nonsense')), ''));
        await ended(context, failed);
        checkFailure(await context.send('GET', `/api/invocations/${failed}/result`), 409, 'NO_RESULT');
      },
    },
    {
      id: 'async-17',
      cites: 'ASY-10',
      title: 'the list filters by function and status, and pages through each once, without results',
      needs,
      async run(context) {
        const id = await context.deploy(answering('listed'));
        const begun: string[] = [];
        for (let n = 0; n < 5; n++) begun.push(accepted(await begin(context, id, String(n))));
        for (const invocation of begun) await ended(context, invocation);
        const seen: string[] = [];
        let after = '';
        for (let page = 0; page < 10; page++) {
          const query = `function_id=${id}&status=completed&limit=2${after && `&after=${encodeURIComponent(after)}`}`;
          const reply = await context.send('GET', `/api/invocations?${query}`);
          checkStatus(reply, 200);
          const { invocations, next } = reply.json();
          check(
            Array.isArray(invocations) && invocations.length <= 2,
            'at most 2 records',
            describeReply(reply),
          );
          for (const record of invocations as Record<string, unknown>[]) {
            check(!('result' in record), 'records without result', record);
            seen.push(String(record['invocation_id']));
          }
          if (next === undefined) break;
          after = String(next);
        }
        checkSame(seen.toSorted(), begun.toSorted(), 'the invocations, each once');
      },
    },
    {
      id: 'async-18',
      cites: 'ASY-11',
      title: 'a call that expires in the queue ends as timeout with 0 attempts, executed no',
      needs,
      async run(context) {
        const id = await context.deploy(sleeping(2), { max_concurrency: 1 });
        const first = accepted(await begin(context, id, 'first'));
        await context.eventually(3000, async () => (await read(context, first))['status'] === 'running');
        const headers = { 'x-faas-timeout-ms': '500' };
        const record = await ended(context, accepted(await begin(context, id, 'second', { headers })));
        checkSame(
          [record['status'], record['attempts'], record['executed']],
          ['timeout', 0, 'no'],
          '[status, attempts, executed]',
        );
      },
    },
    {
      id: 'async-19',
      cites: 'ASY-7',
      title: 'twenty calls at once each end exactly once',
      needs,
      async run(context) {
        const id = await context.deploy(ECHO);
        const begun = await Promise.all(
          Array.from({ length: 20 }, async (_, n) => accepted(await begin(context, id, `call ${n}`))),
        );
        for (const [n, invocation] of begun.entries()) {
          const record = await ended(context, invocation);
          checkSame(record['result'], [...Buffer.from(`call ${n}`)], `result of call ${n}`);
        }
        checkSame(await context.invocations(id), 20, 'total_invocations');
      },
    },
  ],
};
