/** Feature `call-context`: call id, attempt, time and metadata, in and out. */

import { ENVIRONMENT, printing, RECEIVED, sleeping } from '../bootstraps.js';
import type { Case, Section } from '../case.js';
import type { CaseContext } from '../context.js';
import { check, checkCallFailure, checkResult, checkSame, checkStatus, describeReply } from '../expect.js';

const needs = ['call-context'] as const;

async function stdinOf(
  context: CaseContext,
  headers: Readonly<Record<string, string>>,
): Promise<Record<string, unknown>> {
  const reply = await context.invoke(await context.shared(RECEIVED), 'x', { headers });
  return JSON.parse(checkResult(reply).toString());
}

export function encodeMetadata(metadata: unknown): string {
  return Buffer.from(JSON.stringify(metadata)).toString('base64url');
}

const BAD_HEADERS: readonly (readonly [name: string, value: string])[] = [
  ['X-Faas-Call-Id', 'has a space'],
  ['X-Faas-Call-Id', 'a'.repeat(129)],
  ['X-Faas-Call-Id', 'semi;colon'],
  ['X-Faas-Attempt', '0'],
  ['X-Faas-Attempt', 'two'],
  ['X-Faas-Timeout-Ms', '-5'],
  ['X-Faas-Timeout-Ms', '1.5'],
  ['X-Faas-Metadata', '{"a":"b"}'],
  ['X-Faas-Metadata', encodeMetadata({ a: 1 })],
  ['X-Faas-Metadata', encodeMetadata(['a'])],
  ['X-Faas-Metadata', Buffer.from('no json').toString('base64url')],
];

export const callContext: Section = {
  name: 'context',
  cases: [
    {
      id: 'context-01',
      cites: 'CTX-1',
      title: 'call id, attempt and metadata reach the function',
      needs,
      async run(context) {
        const metadata = { tenant: 'north', 'trace-id': 'ü 🚀 "quoted"' };
        const stdin = await stdinOf(context, {
          'x-faas-call-id': 'order-66:a.b_c',
          'x-faas-attempt': '3',
          'x-faas-metadata': encodeMetadata(metadata),
        });
        checkSame(
          [stdin['call_id'], stdin['attempt'], stdin['metadata']],
          ['order-66:a.b_c', 3, metadata],
          '[call_id, attempt, metadata]',
        );
      },
    },
    {
      id: 'context-02',
      cites: 'CTX-1',
      title: 'FAAS_CALL_ID holds the call id, and never that of another call',
      needs,
      async run(context) {
        const id = await context.shared(ENVIRONMENT);
        const reply = await context.invoke(id, '', { headers: { 'x-faas-call-id': 'in-the-environment' } });
        const text = checkResult(reply).toString();
        const line = text.split('\n').find((one) => one.startsWith('FAAS_CALL_ID='));
        const startedAhead = reply.json()['cold_start'] === false;
        check(
          startedAhead ? line === undefined : line === 'FAAS_CALL_ID=in-the-environment',
          startedAhead ? 'no FAAS_CALL_ID in a process started ahead' : 'FAAS_CALL_ID=in-the-environment',
          text,
        );
      },
    },
    {
      id: 'context-03',
      cites: 'CTX-2',
      title: 'every reply has an X-Faas-Request-Id of its own',
      needs,
      async run(context) {
        const id = await context.shared(RECEIVED);
        const replies = [
          await context.invoke(id, ''),
          await context.invoke(id, ''),
          await context.send('GET', `/api/functions/${id}`),
          await context.send('GET', '/no/such/route'),
          await context.invoke(context.name(), ''),
        ];
        const ids = replies.map(({ headers }) => String(headers['x-faas-request-id'] ?? ''));
        check(
          ids.every((text) => text !== ''),
          'X-Faas-Request-Id on every reply',
          ids,
        );
        check(new Set(ids).size === ids.length, 'no id twice', ids);
      },
    },
    {
      id: 'context-04',
      cites: 'CTX-3',
      title: 'call_id stands in the reply, given or made',
      needs,
      async run(context) {
        const id = await context.shared(RECEIVED);
        const given = await context.invoke(id, '', { headers: { 'x-faas-call-id': 'given-1' } });
        checkStatus(given, 200);
        checkSame(given.json()['call_id'], 'given-1', 'call_id');
        const made = await context.invoke(id, '');
        const callId = made.json()['call_id'];
        check(
          typeof callId === 'string' && callId !== '',
          'a call_id made by the platform',
          describeReply(made),
        );
        checkSame(JSON.parse(checkResult(made).toString()).call_id, callId, 'call_id on stdin');
      },
    },
    {
      id: 'context-05',
      cites: 'CTX-3',
      title: 'call_id stands in the reply to a failed run',
      needs,
      async run(context) {
        const id = await context.deploy(printing('', { exitCode: 1 }));
        const reply = await context.invoke(id, '', { headers: { 'x-faas-call-id': 'failed-1' } });
        checkSame(checkCallFailure(reply, 500, 'FUNCTION_ERROR', 'yes')['call_id'], 'failed-1', 'call_id');
      },
    },
    {
      id: 'context-06',
      cites: 'CTX-4',
      title: 'metadata of the bootstrap comes back',
      needs,
      async run(context) {
        const id = await context.deploy(printing('{"result":[1],"metadata":{"pages":"12","who":"ü"}}'));
        const reply = await context.invoke(id, '');
        checkStatus(reply, 200);
        checkSame(reply.json()['metadata'], { pages: '12', who: 'ü' }, 'metadata');
      },
    },
    {
      id: 'context-07',
      cites: 'CTX-4',
      title: 'without metadata of the bootstrap the field is absent, whatever the request carried',
      needs,
      async run(context) {
        const id = await context.deploy(printing('{"result":[1]}'));
        const reply = await context.invoke(id, '', {
          headers: { 'x-faas-metadata': encodeMetadata({ a: 'b' }) },
        });
        checkStatus(reply, 200);
        check(!('metadata' in reply.json()), 'no metadata', describeReply(reply));
      },
    },
    {
      id: 'context-08',
      cites: 'CTX-5',
      title: 'X-Faas-Timeout-Ms below timeout_secs is the limit',
      needs,
      async run(context) {
        const id = await context.deploy(sleeping(5), { timeout_secs: 6 });
        const reply = await context.invoke(id, '', { headers: { 'x-faas-timeout-ms': '500' } });
        checkCallFailure(reply, 504, 'TIMEOUT', 'yes');
        check(reply.durationMs <= 1500, 'a reply within 1500 ms', `${Math.round(reply.durationMs)} ms`);
      },
    },
    {
      id: 'context-09',
      cites: 'CTX-5',
      title: 'timeout_secs below X-Faas-Timeout-Ms is the limit',
      needs,
      async run(context) {
        const id = await context.deploy(sleeping(20), { timeout_secs: 1 });
        const reply = await context.invoke(id, '', { headers: { 'x-faas-timeout-ms': '15000' } });
        checkCallFailure(reply, 504, 'TIMEOUT', 'yes');
      },
    },
    {
      id: 'context-10',
      cites: 'CTX-5',
      title: 'deadline_ms is when the limit ends',
      needs,
      async run(context) {
        const before = Date.now();
        const stdin = await stdinOf(context, { 'x-faas-timeout-ms': '60000' });
        const deadline = Number(stdin['deadline_ms']);
        const after = Date.now();
        check(
          deadline >= before + 59_000 && deadline <= after + 60_500,
          'about a minute from now',
          deadline - before,
        );
      },
    },
    ...BAD_HEADERS.map(
      ([name, value], index): Case => ({
        id: `context-${String(index + 11)}`,
        cites: 'CTX-6',
        title: `${name}: ${value.length > 40 ? `${value.length} characters` : value} is 400`,
        needs,
        async run(context) {
          const id = await context.shared(RECEIVED);
          const reply = await context.invoke(id, '', { headers: { [name.toLowerCase()]: value } });
          checkCallFailure(reply, 400, 'INVALID_REQUEST', 'no');
        },
      }),
    ),
    {
      id: 'context-22',
      cites: 'CTX-6',
      title: 'metadata above max_metadata_bytes is 400',
      needs,
      async run(context) {
        const limit = context.platform.limit('max_metadata_bytes') ?? 0;
        check(limit >= 2048, 'max_metadata_bytes of at least 2048', limit);
        if (limit > 12_000) return; // would not fit into a head
        const id = await context.shared(RECEIVED);
        const metadata = encodeMetadata({ much: 'm'.repeat(limit) });
        const reply = await context.invoke(id, '', { headers: { 'x-faas-metadata': metadata } });
        checkCallFailure(reply, 400, 'INVALID_REQUEST', 'no');
      },
    },
    {
      id: 'context-23',
      cites: 'CTX-7',
      title: 'without headers attempt is 1 and metadata empty',
      needs,
      async run(context) {
        const stdin = await stdinOf(context, {});
        checkSame([stdin['attempt'], stdin['metadata']], [1, {}], '[attempt, metadata]');
      },
    },
  ],
};
