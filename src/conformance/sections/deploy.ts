/** Deploy, describe, undeploy: names, conflicts, replacement. */
import { createHash } from 'node:crypto';
import { answering, ECHO, sleeping } from '../bootstraps.js';
import type { Section } from '../case.js';
import { BINARY, type CaseContext } from '../context.js';
import {
  check,
  checkFailure,
  checkResult,
  checkSame,
  checkStatus,
  describeReply,
  isTime,
  Mismatch,
} from '../expect.js';
import { packScript } from '../zip.js';

const ONE = packScript(answering('one'));
const TWO = packScript(answering('two'));

async function answerOf(context: CaseContext, id: string): Promise<string> {
  return checkResult(await context.invoke(id, '')).toString();
}

async function describe(context: CaseContext, id: string): Promise<Record<string, unknown>> {
  const reply = await context.send('GET', `/api/functions/${id}`);
  checkStatus(reply, 200);
  return reply.json();
}

const BAD_NAMES: readonly (readonly [raw: string, what: string])[] = [
  ['UPPER', 'capital letters'],
  ['-start', 'a hyphen at the start'],
  ['end-', 'a hyphen at the end'],
  ['under_score', 'an underscore'],
  ['a'.repeat(64), '64 characters'],
  ['a.b', 'a dot'],
  ['%2e%2e', 'two encoded dots'],
  ['..%2f..%2fetc', 'an encoded path'],
  ['a%00b', 'an encoded NUL'],
  ['caf%C3%A9', 'a letter beyond ASCII'],
  ['a%252e', 'an encoded percent sign'],
  ['a%zz', 'a broken escape'],
];

export const deploy: Section = {
  name: 'deploy',
  cases: [
    {
      id: 'deploy-01',
      cites: 'DEP-1',
      title: 'a sound archive is answered 200 with the whole record',
      async run(context) {
        const id = context.name();
        const reply = await context.put(id, ONE, { memory_mb: 256, timeout_secs: 60 });
        checkStatus(reply, 200);
        const record = reply.json();
        checkSame(record['function_id'], id, 'function_id');
        checkSame(record['status'], 'deployed', 'status');
        checkSame(record['memory_mb'], 256, 'memory_mb');
        checkSame(record['timeout_secs'], 60, 'timeout_secs');
        check(isTime(record['deployed_at']), 'deployed_at: a time', record);
      },
    },
    {
      id: 'deploy-02',
      cites: 'DEP-2',
      title: 'the function can be called as soon as the 200 is there',
      async run(context) {
        const id = context.name();
        checkStatus(await context.put(id, ONE), 200);
        checkSame(await answerOf(context, id), 'one', 'result');
      },
    },
    {
      id: 'deploy-03',
      cites: 'DEP-3',
      title: 'application/octet-stream is taken as well',
      async run(context) {
        checkStatus(await context.put(context.name(), ONE, undefined, { headers: BINARY }), 200);
      },
    },
    ...['application/json', 'text/plain', 'multipart/form-data; boundary=x'].map((type, index) => ({
      id: `deploy-0${index + 4}`,
      cites: 'DEP-3',
      title: `${type} is refused with 415`,
      async run(context: CaseContext) {
        const reply = await context.put(context.name(), ONE, undefined, {
          headers: { 'content-type': type },
        });
        checkFailure(reply, 415, 'UNSUPPORTED_MEDIA_TYPE');
      },
    })),
    {
      id: 'deploy-07',
      cites: 'DEP-4',
      title: 'the same again is 200 and changes nothing',
      async run(context) {
        const id = context.name();
        const first = (await context.put(id, ONE, { memory_mb: 256 })).json();
        const again = await context.put(id, ONE, { memory_mb: 256 });
        checkStatus(again, 200);
        checkSame(again.json()['deployed_at'], first['deployed_at'], 'deployed_at');
      },
    },
    {
      id: 'deploy-08',
      cites: 'DEP-5',
      title: 'another archive is 409 and the old one stays',
      async run(context) {
        const id = context.name();
        checkStatus(await context.put(id, ONE), 200);
        checkFailure(await context.put(id, TWO), 409, 'CONFLICT');
        checkSame(await answerOf(context, id), 'one', 'result');
      },
    },
    {
      id: 'deploy-09',
      cites: 'DEP-5',
      title: 'another configuration is 409 and the old one stays',
      async run(context) {
        const id = context.name();
        checkStatus(await context.put(id, ONE, { timeout_secs: 10 }), 200);
        checkFailure(await context.put(id, ONE, { timeout_secs: 20 }), 409, 'CONFLICT');
        checkFailure(await context.put(id, ONE, { timeout_secs: 10, env_vars: { A: '1' } }), 409, 'CONFLICT');
        checkSame((await describe(context, id))['timeout_secs'], 10, 'timeout_secs');
      },
    },
    {
      id: 'deploy-10',
      cites: 'DEP-6',
      title: 'replace=true replaces archive and configuration',
      async run(context) {
        const id = context.name();
        checkStatus(await context.put(id, ONE, { memory_mb: 256 }), 200);
        checkStatus(await context.put(id, TWO, { memory_mb: 320 }, { query: '?replace=true' }), 200);
        checkSame(await answerOf(context, id), 'two', 'result');
        checkSame((await describe(context, id))['memory_mb'], 320, 'memory_mb');
      },
    },
    {
      id: 'deploy-11',
      cites: 'DEP-7',
      title: 'a running call finishes on the version it started with',
      async run(context) {
        const id = await context.deploy(`${sleeping(1, 'old')}# version one`);
        const running = context.invoke(id, '');
        await context.sleep(400);
        checkStatus(await context.put(id, TWO, undefined, { query: '?replace=true' }), 200);
        checkSame(await answerOf(context, id), 'two', 'result after the replacement');
        checkSame(checkResult(await running).toString(), 'old', 'result of the running call');
      },
    },
    {
      id: 'deploy-12',
      cites: 'DEP-7',
      title: 'calls during replacements see one version or the other, never a failure',
      async run(context) {
        const id = context.name();
        checkStatus(await context.put(id, ONE), 200);
        let isOver = false;
        const seen: string[] = [];
        const calling = (async () => {
          while (!isOver) seen.push(await answerOf(context, id));
        })();
        try {
          for (let round = 0; round < 6; round++) {
            checkStatus(
              await context.put(id, round % 2 === 0 ? TWO : ONE, undefined, { query: '?replace=true' }),
              200,
            );
          }
        } finally {
          isOver = true;
          await calling;
        }
        check(
          seen.every((text) => text === 'one' || text === 'two'),
          '"one" or "two" each time',
          seen,
        );
      },
    },
    {
      id: 'deploy-13',
      cites: 'DEP-8',
      title: 'of two different deploys at once one wins and the other is 409',
      async run(context) {
        for (let round = 0; round < 5; round++) {
          const id = context.name();
          const [one, two] = await Promise.all([context.put(id, ONE), context.put(id, TWO)]);
          const statuses = [one.status, two.status].sort().join(', ');
          check(statuses === '200, 409', '200 and 409', statuses);
          checkSame(await answerOf(context, id), one.status === 200 ? 'one' : 'two', 'the winner’s result');
        }
      },
    },
    {
      id: 'deploy-14',
      cites: 'DEP-9',
      title: 'a refused deploy leaves no function',
      async run(context) {
        const id = context.name();
        const reply = await context.put(id, Buffer.from('junk'));
        check(reply.status >= 400, 'a refusal', describeReply(reply));
        checkFailure(await context.send('GET', `/api/functions/${id}`), 404, 'NOT_FOUND');
      },
    },
    {
      id: 'deploy-15',
      cites: 'DEP-9',
      title: 'a refused replacement leaves the old version',
      async run(context) {
        const id = context.name();
        checkStatus(await context.put(id, ONE), 200);
        const reply = await context.put(id, Buffer.from('junk'), undefined, { query: '?replace=true' });
        check(reply.status >= 400, 'a refusal', describeReply(reply));
        checkSame(await answerOf(context, id), 'one', 'result');
      },
    },
    {
      id: 'deploy-16',
      cites: 'DEP-10',
      title: 'endpoint is a URL on the Host of the request and takes invokes',
      async run(context) {
        const reply = await context.put(context.name(), ONE);
        checkStatus(reply, 200);
        const { endpoint } = reply.json();
        const url = typeof endpoint === 'string' ? URL.parse(endpoint) : null;
        check(url !== null && url.host === context.base.host, `a URL on ${context.base.host}`, endpoint);
        const path = url.pathname.slice(context.base.pathname.replace(/\/$/, '').length);
        const call = await context.send('POST', path, {
          headers: { 'content-type': 'application/json' },
          body: '{"job_id":7,"args":[]}',
        });
        checkSame(checkResult(call).toString(), 'one', 'result');
      },
    },
    {
      id: 'deploy-17',
      cites: 'DEP-11',
      title: 'binary_size_bytes and sha256 are those of the archive',
      async run(context) {
        const record = (await context.put(context.name(), ONE)).json();
        checkSame(record['binary_size_bytes'], ONE.length, 'binary_size_bytes');
        const hash = createHash('sha256').update(ONE).digest('hex');
        if (record['sha256'] !== undefined) checkSame(record['sha256'], hash, 'sha256');
      },
    },
    {
      id: 'deploy-18',
      cites: 'REC-1',
      title: 'GET answers with the record of the deploy',
      async run(context) {
        const id = context.name();
        const deployed = (await context.put(id, ONE, { memory_mb: 192, timeout_secs: 11 })).json();
        checkSame(await describe(context, id), deployed, 'the record');
      },
    },
    ...(
      [
        ['GET', ''],
        ['DELETE', ''],
        ['GET', '/health'],
        ['POST', '/warm'],
        ['POST', '/invoke'],
      ] as const
    ).map(([method, part], index) => ({
      id: `deploy-${19 + index}`,
      cites: 'REC-2',
      title: `${method} ${part || 'record'} of an unknown function is 404`,
      async run(context: CaseContext) {
        const body = part === '/invoke' ? { body: '{"job_id":7,"args":[]}' } : {};
        const headers = { 'content-type': 'application/json' };
        const path = `/api/functions/${context.name('unknown')}${part}`;
        checkFailure(await context.send(method, path, { headers, ...body }), 404, 'NOT_FOUND');
      },
    })),
    {
      id: 'deploy-24',
      cites: 'DEL-1',
      title: 'DELETE removes the function; the second one is 404',
      async run(context) {
        const id = await context.deploy(answering('gone'));
        const reply = await context.send('DELETE', `/api/functions/${id}`);
        checkStatus(reply, 200);
        checkSame(reply.json()['function_id'], id, 'function_id');
        checkSame(reply.json()['status'], 'deleted', 'status');
        checkFailure(await context.send('DELETE', `/api/functions/${id}`), 404, 'NOT_FOUND');
        checkFailure(await context.send('GET', `/api/functions/${id}`), 404, 'NOT_FOUND');
        checkFailure(await context.invoke(id, ''), 404, 'NOT_FOUND');
      },
    },
    {
      id: 'deploy-25',
      cites: 'DEL-2',
      title: 'after a delete the same id takes new code and counts from zero',
      async run(context) {
        const id = await context.deploy(answering('one'), { env_vars: { A: '1' } });
        checkSame(await answerOf(context, id), 'one', 'result');
        checkStatus(await context.send('DELETE', `/api/functions/${id}`), 200);
        checkStatus(await context.put(id, TWO), 200);
        checkSame(await context.invocations(id), 0, 'total_invocations');
        checkSame(await answerOf(context, id), 'two', 'result');
      },
    },
    ...BAD_NAMES.map(([raw, what], index) => ({
      id: `deploy-${26 + index}`,
      cites: index === 6 || index === 7 || index === 10 ? 'NAM-3' : 'NAM-2',
      title: `an id with ${what} is 400 INVALID_NAME for every method`,
      async run(context: CaseContext) {
        for (const method of ['PUT', 'GET', 'DELETE'] as const) {
          const body = method === 'PUT' ? { body: ONE } : {};
          const headers = { 'content-type': 'application/zip' };
          const reply = await context.send(method, `/api/functions/${raw}`, { headers, ...body });
          if (reply.status === 200) context.track(raw);
          checkFailure(reply, 400, 'INVALID_NAME');
        }
      },
    })),
    {
      id: 'deploy-38',
      cites: 'NAM-1',
      title: 'ids of 63 characters, and with hyphens and digits, are accepted',
      async run(context) {
        const base = context.name('x');
        for (const id of [base.padEnd(63, '9'), base.replaceAll('-', '--')]) {
          checkStatus(await context.put(context.track(id), ONE), 200);
          checkSame(await answerOf(context, id), 'one', 'result');
        }
      },
    },
    {
      id: 'deploy-39',
      cites: 'NAM-3',
      title: 'an id with needless escapes is the same id',
      async run(context) {
        const id = await context.deploy(ECHO);
        const escaped = `%63${id.slice(1)}`;
        const reply = await context.send('GET', `/api/functions/${escaped}`);
        checkStatus(reply, 200);
        if (reply.json()['function_id'] !== id) throw new Mismatch(`function_id ${id}`, describeReply(reply));
      },
    },
  ],
};
