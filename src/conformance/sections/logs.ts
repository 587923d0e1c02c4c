/** Feature `logs`. */

import { printing, running } from '../bootstraps.js';
import type { Section } from '../case.js';
import type { CaseContext } from '../context.js';
import { check, checkSame, checkStatus, isObject, isTime, Mismatch } from '../expect.js';
import type { Ask, Reply } from '../http.js';

const needs = ['logs'] as const;

interface Line {
  readonly time: string;
  readonly stream: string;
  readonly message: string;
  readonly call_id?: string;
  readonly truncated?: boolean;
}

async function logsOf(context: CaseContext, id: string, query = '', ask: Ask = {}): Promise<Line[]> {
  const reply = await context.send('GET', `/api/functions/${id}/logs${query}`, ask);
  checkStatus(reply, 200);
  return linesOf(reply);
}

function linesOf(reply: Reply): Line[] {
  const type = String(reply.headers['content-type']);
  check(type.startsWith('application/x-ndjson'), 'Content-Type: application/x-ndjson', type);
  return reply.body
    .toString('utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(parseLine);
}

function parseLine(text: string): Line {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    throw new Mismatch('one JSON object a line', text.slice(0, 200));
  }
  check(isObject(line), 'an object', line);
  check(isTime(line['time']), 'time: RFC 3339', line);
  check(
    ['stderr', 'stdout', 'platform'].includes(String(line['stream'])),
    'stream: stderr, stdout or platform',
    line,
  );
  check(typeof line['message'] === 'string', 'message: text', line);
  return line as unknown as Line;
}

/** What was written is there within a second; writing may be behind the reply for a moment. */
async function eventuallyLogged(
  context: CaseContext,
  id: string,
  query: string,
  holds: (lines: readonly Line[]) => boolean,
): Promise<Line[]> {
  let lines: Line[] = [];
  await context.eventually(1000, async () => {
    lines = await logsOf(context, id, query);
    return holds(lines);
  });
  return lines;
}

const fromFunction = ({ stream }: Line): boolean => stream === 'stderr';

/** Writes its arguments' count of lines; the call id tells calls apart. */
const LOGGING = running(
  'printf "first of %s\\nsecond of %s\\n" "$FAAS_CALL_ID" "$FAAS_CALL_ID" >&2\nprintf ok | reply',
);

async function callAs(context: CaseContext, id: string, callId: string): Promise<void> {
  checkStatus(await context.invoke(id, '', { headers: { 'x-faas-call-id': callId } }), 200);
}

export const logs: Section = {
  name: 'logs',
  cases: [
    {
      id: 'logs-01',
      cites: 'LOG-2',
      title: 'stderr of a call is found under its call id, in order',
      needs: [...needs, 'call-context'],
      async run(context) {
        const id = await context.deploy(LOGGING);
        await callAs(context, id, 'log-1');
        const lines = await eventuallyLogged(context, id, '', (all) => all.filter(fromFunction).length >= 2);
        checkSame(
          lines.filter(fromFunction).map(({ message, call_id }) => [message, call_id]),
          [
            ['first of log-1', 'log-1'],
            ['second of log-1', 'log-1'],
          ],
          'messages and call ids',
        );
      },
    },
    {
      id: 'logs-02',
      cites: 'LOG-1',
      title: 'lines have time, stream and message, oldest first',
      needs,
      async run(context) {
        const id = await context.deploy(LOGGING);
        for (let n = 0; n < 3; n++) await context.invoke(id, '');
        const lines = await eventuallyLogged(context, id, '', (all) => all.filter(fromFunction).length >= 6);
        check(lines.filter(fromFunction).length === 6, '6 lines of stderr', lines);
        const times = lines.map(({ time }) => Date.parse(time));
        checkSame(
          times,
          times.toSorted((a, b) => a - b),
          'times in order',
        );
      },
    },
    {
      id: 'logs-03',
      cites: 'LOG-2',
      title: 'stderr of a failed call is kept as well',
      needs,
      async run(context) {
        const id = await context.deploy(printing('nonsense', { stderr: 'why it failed\n', exitCode: 2 }));
        await context.invoke(id, '');
        const lines = await eventuallyLogged(context, id, '', (all) => all.some(fromFunction));
        check(
          lines.some(({ message }) => message === 'why it failed'),
          'the line "why it failed"',
          lines,
        );
      },
    },
    {
      id: 'logs-04',
      cites: 'LOG-3',
      title: 'tail gives the last lines',
      needs,
      async run(context) {
        const id = await context.deploy(
          running('for n in 1 2 3 4 5; do echo "line $n" >&2; done\nprintf ok | reply'),
        );
        await context.invoke(id, '');
        await eventuallyLogged(context, id, '', (all) => all.filter(fromFunction).length >= 5);
        checkSame(
          (await logsOf(context, id, '?tail=1000')).filter(fromFunction).length,
          5,
          'lines with tail=1000',
        );
        const last = await logsOf(context, id, '?tail=2');
        check(last.length === 2, '2 lines with tail=2', last);
      },
    },
    {
      id: 'logs-05',
      cites: 'LOG-3',
      title: 'call_id gives the lines of one call',
      needs: [...needs, 'call-context'],
      async run(context) {
        const id = await context.deploy(LOGGING);
        for (const callId of ['one', 'two']) await callAs(context, id, callId);
        const lines = await eventuallyLogged(
          context,
          id,
          '?call_id=two',
          (all) => all.filter(fromFunction).length >= 2,
        );
        check(
          lines.length >= 2 && lines.every(({ call_id }) => call_id === 'two'),
          'only lines of call two',
          lines,
        );
      },
    },
    {
      id: 'logs-06',
      cites: 'LOG-3',
      title: 'since leaves out what is older',
      needs,
      async run(context) {
        const id = await context.deploy(LOGGING);
        await context.invoke(id, '');
        const before = await eventuallyLogged(context, id, '', (all) => all.filter(fromFunction).length >= 2);
        const newest = Math.max(...before.map(({ time }) => Date.parse(time)));
        await context.sleep(50);
        const since = encodeURIComponent(new Date(newest + 20).toISOString());
        await context.invoke(id, '');
        const after = await eventuallyLogged(
          context,
          id,
          `?since=${since}`,
          (all) => all.filter(fromFunction).length >= 2,
        );
        checkSame(after.filter(fromFunction).length, 2, 'lines of the second call');
      },
    },
    {
      id: 'logs-07',
      cites: 'LOG-4',
      title: 'follow sends lines as they come',
      needs,
      async run(context) {
        const id = await context.deploy(LOGGING);
        const following = context.send('GET', `/api/functions/${id}/logs?follow=true`, {
          timeoutMs: 15_000,
          until: (text) => text.includes('second of'),
        });
        // Awaited below; a failure before that must not be an unhandled one.
        following.catch(() => {});
        await context.sleep(300);
        await context.invoke(id, '');
        checkSame(linesOf(await following).filter(fromFunction).length, 2, 'lines of stderr');
      },
    },
    {
      id: 'logs-08',
      cites: 'LOG-5',
      title: 'a line of 100 KB is cut to 16 KiB and marked',
      needs,
      async run(context) {
        const script = running(
          'head -c 100000 /dev/zero | tr "\\0" x >&2\necho >&2\necho short >&2\nprintf ok | reply',
        );
        const id = await context.deploy(script);
        await context.invoke(id, '');
        const lines = await eventuallyLogged(context, id, '', (all) =>
          all.some(({ message }) => message === 'short'),
        );
        const long = lines.find(({ message }) => message.startsWith('xxx'));
        check(long?.truncated === true, 'truncated: true', long ? long.truncated : 'no such line');
        check(
          Buffer.byteLength(long.message) <= 16_384,
          'at most 16384 bytes',
          Buffer.byteLength(long.message),
        );
      },
    },
    {
      id: 'logs-09',
      cites: 'LOG-6',
      title: 'bytes that are no text, control characters and JSON do not break the stream',
      needs,
      async run(context) {
        const id = await context.deploy(
          running('printf "\\377\\376 \\033[31m {\\"a\\":1} \\001 end\\n" >&2\nprintf ok | reply'),
        );
        await context.invoke(id, '');
        const lines = await eventuallyLogged(context, id, '', (all) => all.some(fromFunction));
        check(
          lines.some(({ message }) => message.endsWith('end')),
          'a line that ends with "end"',
          lines,
        );
      },
    },
  ],
};
