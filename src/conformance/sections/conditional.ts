/** Feature `conditional-replace`. */

import { answering } from '../bootstraps.js';
import type { Section } from '../case.js';
import type { CaseContext } from '../context.js';
import { check, checkFailure, checkResult, checkSame, checkStatus, describeReply } from '../expect.js';
import { packScript } from '../zip.js';

const needs = ['conditional-replace'] as const;
const ONE = packScript(answering('one'));
const TWO = packScript(answering('two'));

async function etagOf(context: CaseContext, id: string): Promise<string> {
  const reply = await context.send('GET', `/api/functions/${id}`);
  checkStatus(reply, 200);
  const { etag } = reply.json();
  check(
    typeof etag === 'string' && /^[\x21\x23-\x7e]+$/.test(etag),
    'etag: text without quotes',
    describeReply(reply),
  );
  checkSame(reply.headers['etag'], `"${etag}"`, 'header ETag');
  return etag;
}

async function answerOf(context: CaseContext, id: string): Promise<string> {
  return checkResult(await context.invoke(id, '')).toString();
}

export const conditional: Section = {
  name: 'conditional',
  cases: [
    {
      id: 'conditional-01',
      cites: 'CND-1',
      title: 'PUT and GET show one etag, in the record and as a header',
      needs,
      async run(context) {
        const id = context.name();
        const put = await context.put(id, ONE);
        checkStatus(put, 200);
        const etag = await etagOf(context, id);
        checkSame(
          [put.json()['etag'], put.headers['etag']],
          [etag, `"${etag}"`],
          '[etag, header ETag] of PUT',
        );
      },
    },
    {
      id: 'conditional-02',
      cites: 'CND-1',
      title: 'the etag changes with archive and configuration, and comes back with them',
      needs,
      async run(context) {
        const id = context.name();
        const replace = { query: '?replace=true' };
        const etags: string[] = [];
        for (const [archive, config] of [
          [ONE, { memory_mb: 256 }],
          [TWO, { memory_mb: 256 }],
          [TWO, { memory_mb: 320 }],
          [ONE, { memory_mb: 256 }],
        ] as const) {
          checkStatus(await context.put(id, archive, config, replace), 200);
          etags.push(await etagOf(context, id));
        }
        check(new Set(etags.slice(0, 3)).size === 3, 'three different etags', etags);
        checkSame(etags[3], etags[0], 'etag of the first content again');
        await context.invoke(id, '');
        checkSame(await etagOf(context, id), etags[0], 'etag after a call');
      },
    },
    {
      id: 'conditional-03',
      cites: 'CND-2',
      title: 'If-Match with the etag in force replaces',
      needs,
      async run(context) {
        const id = context.name();
        checkStatus(await context.put(id, ONE), 200);
        const headers = { 'if-match': `"${await etagOf(context, id)}"` };
        checkStatus(await context.put(id, TWO, undefined, { headers }), 200);
        checkSame(await answerOf(context, id), 'two', 'result');
      },
    },
    {
      id: 'conditional-04',
      cites: 'CND-2',
      title: 'If-Match with another etag, or with no function there, is 412 and changes nothing',
      needs,
      async run(context) {
        const id = context.name();
        checkStatus(await context.put(id, ONE), 200);
        const headers = { 'if-match': '"some-other-version"' };
        checkFailure(await context.put(id, TWO, undefined, { headers }), 412, 'PRECONDITION_FAILED');
        checkSame(await answerOf(context, id), 'one', 'result');
        checkFailure(
          await context.put(context.name(), TWO, undefined, { headers }),
          412,
          'PRECONDITION_FAILED',
        );
      },
    },
    {
      id: 'conditional-05',
      cites: 'CND-3',
      title: 'If-None-Match: * creates, and is 412 where a function is',
      needs,
      async run(context) {
        const id = context.name();
        const headers = { 'if-none-match': '*' };
        checkStatus(await context.put(id, ONE, undefined, { headers }), 200);
        checkFailure(await context.put(id, TWO, undefined, { headers }), 412, 'PRECONDITION_FAILED');
        checkSame(await answerOf(context, id), 'one', 'result');
      },
    },
    {
      id: 'conditional-06',
      cites: 'CND-4',
      title: 'DELETE with another etag is 412, with the right one 200',
      needs,
      async run(context) {
        const id = context.name();
        checkStatus(await context.put(id, ONE), 200);
        const etag = await etagOf(context, id);
        const path = `/api/functions/${id}`;
        const wrong = await context.send('DELETE', path, { headers: { 'if-match': '"other"' } });
        checkFailure(wrong, 412, 'PRECONDITION_FAILED');
        checkStatus(await context.send('DELETE', path, { headers: { 'if-match': `"${etag}"` } }), 200);
      },
    },
    {
      id: 'conditional-07',
      cites: 'CND-5',
      title: 'of five replacements of one version exactly one succeeds',
      needs,
      async run(context) {
        const id = context.name();
        checkStatus(await context.put(id, ONE), 200);
        const headers = { 'if-match': `"${await etagOf(context, id)}"` };
        const replies = await Promise.all(
          Array.from({ length: 5 }, async (_, n) =>
            context.put(id, packScript(answering(`try ${n}`)), undefined, { headers }),
          ),
        );
        const statuses = replies.map(({ status }) => status).toSorted((a, b) => a - b);
        checkSame(statuses, [200, 412, 412, 412, 412], 'statuses');
        const winner = replies.findIndex(({ status }) => status === 200);
        checkSame(await answerOf(context, id), `try ${winner}`, 'the winner’s result');
      },
    },
  ],
};
