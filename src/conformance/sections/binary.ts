/** Feature `binary`: bytes as they are. */
import { randomBytes } from 'node:crypto';
import { ECHO, printing, RECEIVED } from '../bootstraps.js';
import type { Case, Section } from '../case.js';
import { BINARY, type CaseContext, JSON_TYPE } from '../context.js';
import { check, checkCallFailure, checkResult, checkSame, checkStatus, describeReply } from '../expect.js';
import type { Reply } from '../http.js';
import { packScript } from '../zip.js';
import { ALL_BYTES } from './invoke-bytes.js';

const needs = ['binary'] as const;
const RAW = 'application/octet-stream';

/** Speaks `binary-1` both ways: first the header line, then the bytes as they came. */
const BINARY_ECHO = `#!/bin/sh
read -r head
length=\${head##*'"args_length":'}
length=\${length%%[!0-9]*}
printf '{"success":true,"result_length":%s,"metadata":{"spoke":"binary-1"}}\\n' "$length"
exec cat
`;

async function call(
  context: CaseContext,
  id: string,
  args: Uint8Array,
  { accept = RAW, headers = {} }: { accept?: string; headers?: Readonly<Record<string, string>> } = {},
): Promise<Reply> {
  return await context.send('POST', `/api/functions/${id}/invoke`, {
    headers: { ...BINARY, accept, 'x-faas-job-id': '7', ...headers },
    body: args,
  });
}

function checkRaw(reply: Reply, expected: Uint8Array): void {
  checkStatus(reply, 200);
  const type = String(reply.headers['content-type']);
  check(type.startsWith(RAW), `Content-Type: ${RAW}`, type);
  check(
    reply.body.equals(expected),
    `${expected.length} bytes unchanged`,
    `${reply.body.length} bytes: ${reply.body.subarray(0, 40).toString('hex')}`,
  );
}

const PAYLOADS: readonly (readonly [what: string, bytes: Uint8Array])[] = [
  ['no bytes', new Uint8Array(0)],
  ['every value from 0 to 255', ALL_BYTES],
  ['bytes that look like JSON', Buffer.from('{"job_id":8,"args":[1]}')],
  ['1 MiB of noise', randomBytes(1024 * 1024)],
];

export const binary: Section = {
  name: 'binary',
  cases: [
    ...PAYLOADS.map(
      ([what, bytes], index): Case => ({
        id: `binary-0${index + 1}`,
        cites: 'BIN-1',
        title: `${what} go and come as they are`,
        needs,
        async run(context) {
          checkRaw(await call(context, await context.shared(ECHO), bytes), bytes);
        },
      }),
    ),
    {
      id: 'binary-05',
      cites: 'BIN-2',
      title: 'X-Faas-Job-Id is the job id the function gets',
      needs,
      async run(context) {
        const id = await context.shared(RECEIVED);
        const reply = await call(context, id, ALL_BYTES, { headers: { 'x-faas-job-id': '4294967295' } });
        checkStatus(reply, 200);
        checkSame(JSON.parse(reply.body.toString()).job_id, 4_294_967_295, 'job_id on stdin');
      },
    },
    ...[undefined, '-1', '4294967296', '1.5', 'seven', ''].map(
      (value, index): Case => ({
        id: `binary-${String(index + 6).padStart(2, '0')}`,
        cites: 'BIN-2',
        title: `X-Faas-Job-Id ${value === undefined ? 'missing' : `"${value}"`} is 400`,
        needs,
        async run(context) {
          const id = await context.shared(ECHO);
          const reply = await context.send('POST', `/api/functions/${id}/invoke`, {
            headers: { ...BINARY, ...(value !== undefined && { 'x-faas-job-id': value }) },
            body: 'x',
          });
          checkCallFailure(reply, 400, 'INVALID_REQUEST', 'no');
        },
      }),
    ),
    {
      id: 'binary-12',
      cites: 'BIN-2',
      title: 'on /job/{n} the job id is n',
      needs,
      async run(context) {
        const n = context.jobNumber();
        await context.deploy(RECEIVED, undefined, `job${n}`);
        const reply = await context.send('POST', `/job/${n}`, {
          headers: { ...BINARY, accept: RAW },
          body: 'x',
        });
        checkStatus(reply, 200);
        checkSame(JSON.parse(reply.body.toString()).job_id, n, 'job_id on stdin');
      },
    },
    {
      id: 'binary-13',
      cites: 'BIN-3',
      title: 'a raw reply carries job id and run time as headers',
      needs,
      async run(context) {
        const { headers } = await call(context, await context.shared(ECHO), ALL_BYTES);
        checkSame(headers['x-faas-job-id'], '7', 'X-Faas-Job-Id');
        const ms = String(headers['x-faas-execution-ms'] ?? 'no X-Faas-Execution-Ms');
        check(/^\d+(\.\d+)?$/.test(ms), 'X-Faas-Execution-Ms: a number', ms);
        const cold = headers['x-faas-cold-start'];
        check(
          cold === undefined || cold === 'true' || cold === 'false',
          'X-Faas-Cold-Start: true or false',
          cold,
        );
      },
    },
    {
      id: 'binary-14',
      cites: 'BIN-4',
      title: 'raw in, JSON out',
      needs,
      async run(context) {
        const reply = await call(context, await context.shared(ECHO), ALL_BYTES, {
          accept: 'application/json',
        });
        checkSame([...checkResult(reply)], [...ALL_BYTES], 'result');
        checkSame(reply.json()['job_id'], 7, 'job_id');
      },
    },
    {
      id: 'binary-15',
      cites: 'BIN-4',
      title: 'JSON in, raw out',
      needs,
      async run(context) {
        const id = await context.shared(ECHO);
        checkRaw(await context.invoke(id, ALL_BYTES, { headers: { ...JSON_TYPE, accept: RAW } }), ALL_BYTES);
      },
    },
    {
      id: 'binary-16',
      cites: 'BIN-5',
      title: 'a failure is JSON although raw was asked for',
      needs,
      async run(context) {
        const id = await context.deploy(printing('{"result":[],"success":false,"error":"raw failure"}'));
        const reply = await call(context, id, ALL_BYTES);
        const body = checkCallFailure(reply, 500, 'FUNCTION_ERROR', 'yes');
        check(String(body['error']).includes('raw failure'), 'error: raw failure', describeReply(reply));
        checkCallFailure(await call(context, context.name(), ALL_BYTES), 404, 'NOT_FOUND', 'no');
      },
    },
    {
      id: 'binary-17',
      cites: 'BIN-6',
      title: 'metadata of the bootstrap stands in X-Faas-Metadata',
      needs,
      async run(context) {
        const id = await context.deploy(printing('{"result":[1],"metadata":{"pages":"12","who":"ü"}}'));
        const { headers } = await call(context, id, ALL_BYTES);
        const text = Buffer.from(String(headers['x-faas-metadata'] ?? ''), 'base64url').toString();
        checkSame(
          text === '' ? undefined : JSON.parse(text),
          { pages: '12', who: 'ü' },
          'X-Faas-Metadata, decoded',
        );
      },
    },
    {
      id: 'binary-18',
      cites: 'BIN-7',
      title: 'a 1.0 bootstrap finds JSON on stdin',
      needs,
      async run(context) {
        const reply = await call(context, await context.shared(RECEIVED), Uint8Array.of(1, 255));
        checkStatus(reply, 200);
        checkSame(JSON.parse(reply.body.toString()).args, [1, 255], 'args on stdin');
      },
    },
    ...(['raw', 'JSON'] as const).map(
      (how, index): Case => ({
        id: `binary-${19 + index}`,
        cites: 'BIN-8',
        title: `a binary-1 bootstrap echoes every byte of a ${how} call`,
        needs,
        async run(context) {
          const id = context.name();
          const more = [{ name: 'faas.json', data: '{"protocol":"binary-1"}' }];
          checkStatus(await context.put(id, packScript(BINARY_ECHO, more)), 200);
          if (how === 'raw') checkRaw(await call(context, id, ALL_BYTES), ALL_BYTES);
          else checkSame([...checkResult(await context.invoke(id, ALL_BYTES))], [...ALL_BYTES], 'result');
        },
      }),
    ),
  ],
};
