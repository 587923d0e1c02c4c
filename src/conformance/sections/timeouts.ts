/** The time limit, and callers who give up. */

import { commands, running, sleeping, sleepingOnArgs } from '../bootstraps.js';
import type { Section } from '../case.js';
import { check, checkCallFailure, checkResult, checkSame } from '../expect.js';
import type { Reply } from '../http.js';

/** 504, no earlier than the limit and no later than a second after it. */
function checkKilledInTime(reply: Reply, limitMs: number): void {
  checkCallFailure(reply, 504, 'TIMEOUT', 'yes');
  const { durationMs } = reply;
  const isInTime = durationMs >= limitMs && durationMs <= limitMs + 1000;
  check(isInTime, `a reply after ${limitMs} to ${limitMs + 1000} ms`, `${Math.round(durationMs)} ms`);
}

export const timeouts: Section = {
  name: 'timeouts',
  cases: [
    {
      id: 'timeouts-01',
      cites: 'TMO-1',
      title: 'a call past timeout_secs is 504 TIMEOUT',
      async run(context) {
        const id = await context.deploy(sleeping(20), { timeout_secs: 1 });
        checkCallFailure(await context.invoke(id, ''), 504, 'TIMEOUT', 'yes');
      },
    },
    {
      id: 'timeouts-02',
      cites: 'TMO-2',
      title: 'the reply comes between the limit and one second after it',
      async run(context) {
        const id = await context.deploy(running('sleep 10 &\nsleep 10\nprintf late | reply'), {
          timeout_secs: 2,
        });
        checkKilledInTime(await context.invoke(id, ''), 2000);
      },
    },
    {
      id: 'timeouts-03',
      cites: 'TMO-3',
      title: 'a bootstrap that ignores SIGTERM is killed as well',
      async run(context) {
        const id = await context.deploy(commands('trap "" TERM INT HUP\nwhile :; do sleep 1; done'), {
          timeout_secs: 1,
        });
        checkKilledInTime(await context.invoke(id, '', { timeoutMs: 10_000 }), 1000);
      },
    },
    {
      id: 'timeouts-04',
      cites: 'TMO-3',
      title: 'a bootstrap that stops itself is killed as well',
      async run(context) {
        const id = await context.deploy(commands('kill -STOP $$'), { timeout_secs: 1 });
        checkKilledInTime(await context.invoke(id, '', { timeoutMs: 10_000 }), 1000);
      },
    },
    {
      id: 'timeouts-05',
      cites: 'TMO-4',
      title: 'after a time-out its place is free: the next call runs',
      async run(context) {
        // The same version again: a platform may count the places of each for itself.
        const id = await context.deploy(sleepingOnArgs(20), { timeout_secs: 1, max_concurrency: 1 });
        checkCallFailure(await context.invoke(id, 'sleep'), 504, 'TIMEOUT', 'yes');
        const next = await context.invoke(id, '', { timeoutMs: 5000 });
        checkSame(checkResult(next).toString(), 'free', 'result');
      },
    },
    {
      id: 'timeouts-06',
      cites: 'TMO-5',
      title: 'a call whose caller has gone is killed: its place is free within a second',
      async run(context) {
        const id = await context.deploy(sleepingOnArgs(15), { max_concurrency: 1, timeout_secs: 20 });
        const caller = new AbortController();
        const gone = context.invoke(id, 'sleep', { signal: caller.signal }).catch(() => undefined);
        const isRunning = await context.eventually(3000, async () => (await context.invocations(id)) === 1);
        check(isRunning, 'total_invocations 1 while the call runs', 'not counted within 3 s');
        await context.sleep(200);
        caller.abort();
        await gone;
        const isFree = await context.eventually(2000, async () => {
          const reply = await context.invoke(id, '', { timeoutMs: 3000 });
          return reply.status === 200;
        });
        check(isFree, 'the next call runs', 'the place of the abandoned call is still taken');
      },
    },
    {
      id: 'timeouts-07',
      cites: 'TMO-1',
      title: 'a call within its limit is left alone',
      async run(context) {
        const id = await context.deploy(sleeping(1.2, 'in time'), { timeout_secs: 3 });
        checkSame(checkResult(await context.invoke(id, '')).toString(), 'in time', 'result');
      },
    },
  ],
};
