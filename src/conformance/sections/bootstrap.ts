/** The bootstrap protocol: what goes in on stdin, and what comes of every way to answer. */

import { commands, printing, RANDOM, RECEIVED, running } from '../bootstraps.js';
import type { Case, Section } from '../case.js';
import {
  check,
  checkCallFailure,
  checkResult,
  checkSame,
  checkStatus,
  describeReply,
  isObject,
} from '../expect.js';
import { packScript } from '../zip.js';

const BAD_OUTPUT: readonly (readonly [what: string, stdout: string])[] = [
  ['nothing', ''],
  ['text', 'hello world'],
  ['JSON cut short', '{"result":[1,2'],
  ['a log line before the JSON', 'starting\n{"result":[1]}'],
  ['two documents', '{"result":[1]}{"result":[2]}'],
  ['an array', '[1,2,3]'],
  ['a result that is text', '{"result":"hello"}'],
  ['a result with a number above 255', '{"result":[1,256]}'],
  ['a result with a fraction', '{"result":[1.5]}'],
  ['no result', '{"success":true}'],
];

export const bootstrap: Section = {
  name: 'bootstrap',
  cases: [
    {
      id: 'bootstrap-01',
      cites: 'BTS-1',
      title: 'the working folder is the function’s own',
      async run(context) {
        const id = await context.deploy(running('[ -f ./bootstrap ] && printf here | reply'));
        checkSame(checkResult(await context.invoke(id, '')).toString(), 'here', 'result');
      },
    },
    {
      id: 'bootstrap-02',
      cites: 'BTS-1',
      title: 'each call runs anew: three calls, three different answers of a random source',
      async run(context) {
        const id = await context.deploy(RANDOM);
        const results: string[] = [];
        for (let n = 0; n < 3; n++) results.push(checkResult(await context.invoke(id, '')).toString('hex'));
        check(new Set(results).size === 3, 'three different results', results);
      },
    },
    {
      id: 'bootstrap-03',
      cites: 'BTS-2',
      title: 'stdin is one JSON object with job_id and args, and ends',
      async run(context) {
        const id = await context.shared(RECEIVED);
        const text = checkResult(await context.invoke(id, Uint8Array.of(1, 2), { jobId: 9 })).toString();
        let stdin: unknown;
        try {
          stdin = JSON.parse(text);
        } catch {
          // judged below
        }
        check(isObject(stdin), 'one JSON object on stdin', text);
        checkSame([stdin['job_id'], stdin['args']], [9, [1, 2]], '[job_id, args]');
      },
    },
    {
      id: 'bootstrap-04',
      cites: 'BTS-3',
      title: 'a bootstrap that writes much before it reads much does not hang',
      async run(context) {
        const script = commands(
          'head -c 300000 /dev/zero | tr "\\0" " "\ncat >/dev/null\nprintf done | reply',
        );
        const id = await context.deploy(script, { timeout_secs: 10 });
        const reply = await context.invoke(id, Buffer.alloc(200_000, 65));
        checkSame(checkResult(reply).toString(), 'done', 'result');
      },
    },
    {
      id: 'bootstrap-05',
      cites: 'BTS-4',
      title: 'a bootstrap that never reads its stdin may succeed',
      async run(context) {
        const id = await context.deploy(commands('printf unread | reply'));
        for (const size of [0, 500_000]) {
          const reply = await context.invoke(id, Buffer.alloc(size, 65));
          checkSame(checkResult(reply).toString(), 'unread', `result with ${size} bytes of args`);
        }
      },
    },
    {
      id: 'bootstrap-06',
      cites: 'BTS-5',
      title: 'white space around the JSON and a missing success are fine',
      async run(context) {
        const id = await context.deploy(printing('\n\t {"result" : [ 1 , 2 ]}\n\n'));
        checkSame([...checkResult(await context.invoke(id, ''))], [1, 2], 'result');
      },
    },
    ...BAD_OUTPUT.map(
      ([what, stdout], index): Case => ({
        id: `bootstrap-${String(index + 7).padStart(2, '0')}`,
        cites: 'BTS-6',
        title: `${what} on stdout is 500 BAD_OUTPUT`,
        async run(context) {
          const id = await context.deploy(printing(stdout));
          checkCallFailure(await context.invoke(id, ''), 500, 'BAD_OUTPUT', 'yes');
        },
      }),
    ),
    {
      id: 'bootstrap-17',
      cites: 'BTS-7',
      title: 'exit code 3 is 500 FUNCTION_ERROR with details.exit_code 3',
      async run(context) {
        const id = await context.deploy(printing('{"result":[1]}', { exitCode: 3 }));
        const body = checkCallFailure(await context.invoke(id, ''), 500, 'FUNCTION_ERROR', 'yes');
        checkSame((body['details'] as Record<string, unknown>)['exit_code'], 3, 'details.exit_code');
      },
    },
    {
      id: 'bootstrap-18',
      cites: 'BTS-7',
      title: 'an end by SIGSEGV is 500 FUNCTION_ERROR with details.signal',
      async run(context) {
        const id = await context.deploy(running('kill -SEGV $$'));
        const body = checkCallFailure(await context.invoke(id, ''), 500, 'FUNCTION_ERROR', 'yes');
        checkSame((body['details'] as Record<string, unknown>)['signal'], 'SIGSEGV', 'details.signal');
      },
    },
    {
      id: 'bootstrap-19',
      cites: 'BTS-8',
      title: 'success: false is 500 FUNCTION_ERROR and keeps the error text',
      async run(context) {
        const id = await context.deploy(
          printing('{"result":[],"success":false,"error":"the barrel is empty"}'),
        );
        const body = checkCallFailure(await context.invoke(id, ''), 500, 'FUNCTION_ERROR', 'yes');
        check(String(body['error']).includes('the barrel is empty'), 'error: the barrel is empty', body);
      },
    },
    {
      id: 'bootstrap-20',
      cites: 'BTS-9',
      title: 'a bootstrap that cannot be started never counts as run',
      async run(context) {
        const id = context.name();
        const reply = await context.put(id, packScript('#!/no/such/interpreter\nexit 0\n'));
        check([200, 400].includes(reply.status), '400 INVALID_PACKAGE, or 200', describeReply(reply));
        if (reply.status === 400) checkSame(reply.json()['code'], 'INVALID_PACKAGE', 'code');
        else checkCallFailure(await context.invoke(id, ''), 500, 'EXECUTION_ERROR', 'no');
      },
    },
    {
      id: 'bootstrap-21',
      cites: 'BTS-10',
      title: 'output without end is cut: 500 OUTPUT_TOO_LARGE',
      async run(context) {
        const id = await context.deploy(running('printf \'{"result":[\'\nexec yes "1,"'), {
          timeout_secs: 20,
        });
        checkCallFailure(await context.invoke(id, ''), 500, 'OUTPUT_TOO_LARGE', 'yes');
        checkStatus(await context.send('GET', `/api/functions/${id}/health`), 200);
      },
    },
    {
      id: 'bootstrap-22',
      cites: 'BTS-11',
      title: 'stderr does not touch the result',
      async run(context) {
        const good = await context.deploy(
          printing('{"result":[1]}', { stderr: 'only a log {"result":[9]}' }),
        );
        checkSame([...checkResult(await context.invoke(good, ''))], [1], 'result');
      },
    },
    {
      id: 'bootstrap-23',
      cites: 'BTS-11',
      title: 'much stderr does not stop a call',
      async run(context) {
        const id = await context.deploy(
          running('head -c 2000000 /dev/zero | tr "\\0" e >&2\nprintf fine | reply'),
          { timeout_secs: 10 },
        );
        checkSame(checkResult(await context.invoke(id, '')).toString(), 'fine', 'result');
      },
    },
    {
      id: 'bootstrap-24',
      cites: 'BTS-12',
      title: 'a child that holds stdout open does not hold the call',
      async run(context) {
        const id = await context.deploy(running('sleep 20 &\nprintf left | reply'), { timeout_secs: 10 });
        const reply = await context.invoke(id, '');
        checkSame(checkResult(reply).toString(), 'left', 'result');
        check(reply.durationMs < 5000, 'a reply within 5 s', `${Math.round(reply.durationMs)} ms`);
      },
    },
  ],
};
