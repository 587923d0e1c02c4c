/** What a function can see, and what it leaves behind. */
import { randomBytes } from 'node:crypto';
import { ACT, commands, ENVIRONMENT, HOLD, leavingBehind, quote, running } from '../bootstraps.js';
import type { Section } from '../case.js';
import type { CaseContext } from '../context.js';
import { CouldNotRun, check, checkCallFailure, checkResult, checkSame, describeReply } from '../expect.js';
import type { Reply } from '../http.js';
import { packScript } from '../zip.js';

/** What a shell adds by itself. */
const FROM_THE_SHELL = new Set(['PWD', 'OLDPWD', 'SHLVL', '_']);
const ALLOWED = new Set(['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ']);

async function environmentOf(context: CaseContext, id: string): Promise<Map<string, string>> {
  const text = checkResult(await context.invoke(id, '')).toString();
  return new Map(
    text
      .split('\n')
      .filter((line) => line.includes('='))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

/** The fraction of a number of seconds that nobody else sleeps: it marks a process on its command line. */
function fraction(): string {
  return `.${randomBytes(6).readUIntBE(0, 6)}`;
}

/**
 * Has a call start marked processes and end as `checkEnd` wants, then looks from later calls whether one is still there.
 * That a look would find one is shown first, beside a call that still runs.
 */
async function leavesNothing(
  context: CaseContext,
  act: (marked: string) => string,
  checkEnd: (reply: Reply) => void,
): Promise<void> {
  const mark = fraction();
  const config = { timeout_secs: 2, max_concurrency: 4 };
  const id = await context.deploy(leavingBehind(mark, act(`$hold sleep 12${mark}`)), config);
  const isSeen = async (): Promise<boolean> => checkResult(await context.invoke(id, ''))[0] === 1;
  const held = context.invoke(id, HOLD);
  const canSee = await context.eventually(1000, isSeen);
  checkResult(await held);
  if (!canSee) throw new CouldNotRun('a call sees neither the processes of others nor a lock they hold');
  checkEnd(await context.invoke(id, ACT));
  const isGone = await context.eventually(1000, async () => !(await isSeen()));
  check(isGone, 'no process of the call after 1000 ms', `"sleep 12${mark}" is still running`);
}

const checkLeft = (reply: Reply): void => checkSame(checkResult(reply).toString(), 'left', 'result');

export const environment: Section = {
  name: 'environment',
  cases: [
    {
      id: 'environment-01',
      cites: 'ENV-1',
      title: 'only the named variables are there',
      async run(context) {
        const id = await context.deploy(ENVIRONMENT, { env_vars: { MINE: '1' } });
        const names = [...(await environmentOf(context, id)).keys()];
        const strange = names.filter(
          (name) =>
            !ALLOWED.has(name) && !FROM_THE_SHELL.has(name) && !name.startsWith('FAAS_') && name !== 'MINE',
        );
        check(strange.length === 0, 'no other variable', strange);
        for (const name of ALLOWED) check(names.includes(name), `${name} is set`, names);
      },
    },
    {
      id: 'environment-02',
      cites: 'ENV-2',
      title: 'env_vars arrive unchanged: quotes, dollars, newlines, letters of all kinds',
      async run(context) {
        const value = `a "b" 'c' $HOME \`id\` $(id) \\ ü 🚀\nsecond line = x`;
        const id = await context.deploy(running('printf %s "$CANARY" | reply'), {
          env_vars: { CANARY: value },
        });
        checkSame(checkResult(await context.invoke(id, '')).toString(), value, 'CANARY');
      },
    },
    {
      id: 'environment-03',
      cites: 'ENV-2',
      title: 'a replacement brings its env_vars along, and the old ones go',
      async run(context) {
        const id = await context.deploy(ENVIRONMENT, { env_vars: { OLD: '1' } });
        const query = { query: '?replace=true' };
        const reply = await context.put(id, packScript(ENVIRONMENT), { env_vars: { NEW: '2' } }, query);
        check(reply.status === 200, '200', describeReply(reply));
        const seen = await environmentOf(context, id);
        checkSame([seen.get('OLD'), seen.get('NEW')], [undefined, '2'], '[OLD, NEW]');
      },
    },
    {
      id: 'environment-04',
      cites: 'ENV-3',
      title: 'FAAS_FUNCTION_ID, FAAS_MEMORY_MB and FAAS_TIMEOUT_SECS are those of the function',
      async run(context) {
        const id = await context.deploy(ENVIRONMENT, { memory_mb: 192, timeout_secs: 17 });
        const seen = await environmentOf(context, id);
        checkSame(
          [seen.get('FAAS_FUNCTION_ID'), seen.get('FAAS_MEMORY_MB'), seen.get('FAAS_TIMEOUT_SECS')],
          [id, '192', '17'],
          'the three variables',
        );
      },
    },
    {
      id: 'environment-05',
      cites: 'ENV-4',
      title: 'HOME and TMPDIR can be written, and the next call finds nothing there',
      async run(context) {
        const script = running(
          'for d in "$HOME" "$TMPDIR"; do [ -e "$d/left" ] && printf found; done >"$HOME/report"\n' +
            'touch "$HOME/left" "$TMPDIR/left" && printf ok >>"$HOME/report"\nreply <"$HOME/report"',
        );
        const id = await context.deploy(script);
        for (let n = 0; n < 3; n++)
          checkSame(checkResult(await context.invoke(id, '')).toString(), 'ok', `result of call ${n + 1}`);
      },
    },
    {
      id: 'environment-06',
      cites: 'ENV-5',
      title: 'only stdin, stdout and stderr are open',
      async run(context) {
        // The shell keeps its script open itself, and nothing else.
        const script = running(
          `[ -d /proc/$$/fd ] || { printf none | reply; exit; }
for f in /proc/$$/fd/*; do case $(readlink "$f") in */bootstrap | "") ;; *) printf '%s ' "\${f##*/}" ;; esac; done | reply`,
        );
        const id = await context.deploy(script);
        const seen = checkResult(await context.invoke(id, ''))
          .toString()
          .trim();
        if (seen === 'none') throw new CouldNotRun('functions have no /proc');
        const more = seen.split(' ').filter((fd) => Number(fd) > 2);
        check(more.length === 0, 'no descriptor above 2', seen);
      },
    },
    {
      id: 'environment-07',
      cites: 'ISO-1',
      title: 'a child left behind by a good call is killed',
      async run(context) {
        const act = (marked: string) => `${marked} >/dev/null 2>&1 </dev/null &\nprintf left | reply`;
        await leavesNothing(context, act, checkLeft);
      },
    },
    {
      id: 'environment-08',
      cites: 'ISO-1',
      title: 'children and grandchildren of a call that ran out of time are killed',
      async run(context) {
        const act = (marked: string) => `sh -c "${marked}; true" &\n${marked}`;
        await leavesNothing(context, act, (reply) => checkCallFailure(reply, 504, 'TIMEOUT', 'yes'));
      },
    },
    {
      id: 'environment-09',
      cites: 'ISO-2',
      title: 'a process that took a session of its own is killed too',
      async run(context) {
        const has = await context.deploy(
          commands('command -v setsid >/dev/null && printf yes | reply || printf no | reply'),
        );
        if (checkResult(await context.invoke(has, '')).toString() !== 'yes')
          throw new CouldNotRun('functions have no setsid command');
        const act = (marked: string) =>
          `setsid ${marked} >/dev/null 2>&1 </dev/null &\nsleep 0.2\nprintf left | reply`;
        await leavesNothing(context, act, checkLeft);
      },
    },
    ...(
      [
        ['environment-10', 'ISO-3', 'a call that needs more memory than it has does not succeed'],
        ['environment-11', 'ISO-4', 'and is told apart: 500 OUT_OF_MEMORY'],
      ] as const
    ).map(([caseId, cites, title]) => ({
      id: caseId,
      cites,
      title,
      async run(context: CaseContext) {
        // tail keeps the last line, and 400 MB of zeros are one line.
        const script = running(
          `head -c 400000000 /dev/zero | tail >/dev/null || exit 9\nprintf ${quote('had it all')} | reply`,
        );
        const id = await context.deploy(script, { memory_mb: 128, timeout_secs: 20 });
        const reply = await context.invoke(id, '');
        if (cites === 'ISO-4') return void checkCallFailure(reply, 500, 'OUT_OF_MEMORY', 'yes');
        // It says nothing about memory if the same fails with plenty of it.
        const rich = await context.deploy(script, { memory_mb: 2048, timeout_secs: 20 });
        const control = await context.invoke(rich, '');
        if (control.status !== 200)
          throw new CouldNotRun(`the same with 2048 MB fails as well: ${describeReply(control)}`);
        check(reply.status === 500, 'a failure (500)', describeReply(reply));
      },
    })),
  ],
};
