/** Invoke in JSON: job ids, the form of requests and replies. */

import { ECHO, RECEIVED, sleeping } from '../bootstraps.js';
import type { Case, Section } from '../case.js';
import { type CaseContext, JSON_TYPE } from '../context.js';
import { check, checkCallFailure, checkResult, checkSame, checkStatus, describeReply } from '../expect.js';

async function received(context: CaseContext, jobId: number): Promise<Record<string, unknown>> {
  const id = await context.shared(RECEIVED);
  return JSON.parse(checkResult(await context.invoke(id, 'x', { jobId })).toString());
}

async function post(context: CaseContext, body: string | Uint8Array, script = ECHO) {
  const id = await context.shared(script);
  return await context.send('POST', `/api/functions/${id}/invoke`, { headers: JSON_TYPE, body });
}

const GOOD_IDS = [0, 1, 255, 256, 65_535, 65_536, 2_147_483_648, 4_294_967_295];
const BAD_IDS = ['4294967296', '-1', '1.5', '"7"', 'null', 'true', '[7]', '18446744073709551616'];
const BAD_ARGS = [
  '[256]',
  '[-1]',
  '[1.5]',
  '["1"]',
  '[null]',
  '[true]',
  '"text"',
  'null',
  '{}',
  '[[1]]',
  '[1e3]',
];
const BAD_BODIES: readonly (readonly [what: string, body: string | Uint8Array])[] = [
  ['nothing', ''],
  ['no JSON', 'job_id=7'],
  ['JSON cut short', '{"job_id":7,"args":[1,2'],
  ['an array', '[7,[1,2]]'],
  ['two documents', '{"job_id":7,"args":[]}{"job_id":8,"args":[]}'],
  ['bytes that are no UTF-8', Buffer.from([...Buffer.from('{"job_id":7,"args":[],"x":"'), 0xff, 0x22, 0x7d])],
];

const number = (index: number): string => String(index).padStart(2, '0');

const goodIds = GOOD_IDS.map(
  (jobId, index): Case => ({
    id: `invoke-json-${number(index + 3)}`,
    cites: 'INV-3',
    title: `job id ${jobId} arrives and comes back`,
    async run(context) {
      const id = await context.shared(ECHO);
      checkSame((await context.invoke(id, 'x', { jobId })).json()['job_id'], jobId, 'job_id of the reply');
      checkSame((await received(context, jobId))['job_id'], jobId, 'job_id on stdin');
    },
  }),
);

function refused(first: number, cites: string, bodies: readonly (readonly [string, string | Uint8Array])[]) {
  return bodies.map(
    ([what, body], index): Case => ({
      id: `invoke-json-${number(first + index)}`,
      cites,
      title: `${what} is 400 INVALID_REQUEST`,
      async run(context) {
        checkCallFailure(await post(context, body), 400, 'INVALID_REQUEST', 'no');
      },
    }),
  );
}

export const invokeJson: Section = {
  name: 'invoke-json',
  cases: [
    {
      id: 'invoke-json-01',
      cites: 'INV-1',
      title: 'a success is 200 with job_id, result, success and execution_ms',
      async run(context) {
        const reply = await post(context, '{"job_id":7,"args":[1,2,3]}');
        checkSame([...checkResult(reply)], [1, 2, 3], 'result');
        checkSame(reply.json()['job_id'], 7, 'job_id');
      },
    },
    {
      id: 'invoke-json-02',
      cites: 'INV-11',
      title: 'execution_ms is measured: at least the time the function slept',
      async run(context) {
        const id = await context.shared(sleeping(0.3));
        const reply = await context.invoke(id, '');
        checkStatus(reply, 200);
        const ms = reply.json()['execution_ms'];
        check(
          typeof ms === 'number' && ms >= 250 && ms <= reply.durationMs + 50,
          `execution_ms from 250 to ${Math.ceil(reply.durationMs)} (the whole request)`,
          ms,
        );
      },
    },
    ...goodIds,
    ...refused(11, 'INV-4', [
      ['a missing job_id', '{"args":[]}'],
      ...BAD_IDS.map((id) => [`job_id ${id}`, `{"job_id":${id},"args":[]}`] as const),
    ]),
    ...refused(20, 'INV-5', [
      ['missing args', '{"job_id":7}'],
      ...BAD_ARGS.map((args) => [`args ${args}`, `{"job_id":7,"args":${args}}`] as const),
    ]),
    ...refused(
      32,
      'INV-6',
      BAD_BODIES.map(([what, body]) => [`a body of ${what}`, body] as const),
    ),
    {
      id: 'invoke-json-38',
      cites: 'INV-7',
      title: 'unknown fields are ignored',
      async run(context) {
        const reply = await post(
          context,
          '{"colour":"red","job_id":7,"args":[5],"more":{"args":[9]}}',
          RECEIVED,
        );
        const stdin = JSON.parse(checkResult(reply).toString());
        checkSame(stdin.args, [5], 'args on stdin');
      },
    },
    ...['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx'].map(
      (type, index): Case => ({
        id: `invoke-json-${39 + index}`,
        cites: 'INV-8',
        title: `Content-Type ${type} is 415`,
        async run(context) {
          const id = await context.shared(ECHO);
          const reply = await context.send('POST', `/api/functions/${id}/invoke`, {
            headers: { 'content-type': type },
            body: '{"job_id":7,"args":[]}',
          });
          checkCallFailure(reply, 415, 'UNSUPPORTED_MEDIA_TYPE', 'no');
        },
      }),
    ),
    {
      id: 'invoke-json-42',
      cites: 'INV-10',
      title: 'a body that declares more than any limit is 413 before it is sent',
      async run(context) {
        const id = await context.shared(ECHO);
        const length = (context.platform.limit('max_request_bytes') ?? 0) + 1_000_000_000_000;
        const reply = await context.raw(
          `POST /api/functions/${id}/invoke\r\nContent-Type: application/json\r\nContent-Length: ${length}`,
        );
        checkSame(reply.statuses.at(-1), 413, 'status');
      },
    },
    {
      id: 'invoke-json-43',
      cites: 'INV-12',
      title: 'refused calls do not run the function',
      async run(context) {
        const id = await context.deploy(ECHO);
        const path = `/api/functions/${id}/invoke`;
        for (const body of ['{"job_id":-1,"args":[]}', '{"job_id":7,"args":[256]}', 'nonsense'])
          await context.send('POST', path, { headers: JSON_TYPE, body });
        await context.send('POST', path, { headers: { 'content-type': 'text/plain' }, body: 'x' });
        checkSame(await context.invocations(id), 0, 'total_invocations');
      },
    },
    {
      id: 'invoke-json-44',
      cites: 'INV-7',
      title: 'keys like __proto__ and constructor do no harm',
      async run(context) {
        const reply = await post(context, '{"__proto__":{"args":[9]},"constructor":1,"job_id":7,"args":[5]}');
        check(reply.status === 200 || reply.status === 400, '200 or 400', describeReply(reply));
        checkSame(
          [...checkResult(await post(context, '{"job_id":7,"args":[6]}'))],
          [6],
          'result of the next call',
        );
      },
    },
  ],
};
