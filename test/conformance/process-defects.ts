/** Platforms that are broken in how they run processes: time, places, surroundings, what is left behind. */

import type { Defect } from './feature-defects.js';
import { CORRECT, judgeStrictly, signalGroup } from './platform/rules.js';
import { CANCELLED, failure } from './platform/run-bootstrap.js';
import { refusal } from './replies.js';

export const PROCESS_DEFECTS: readonly Defect[] = [
  {
    name: 'does not enforce timeout_secs',
    rules: { limitMs: () => 3500 },
    section: 'timeouts',
    caughtBy: ['timeouts-02', 'timeouts-03'],
  },
  {
    name: 'asks with SIGTERM at the limit and takes no for an answer',
    rules: {
      kill: (pid) => {
        signalGroup(-pid, 'SIGTERM');
        setTimeout(() => signalGroup(-pid, 'SIGKILL'), 4000).unref();
      },
    },
    section: 'timeouts',
    caughtBy: ['timeouts-03', 'timeouts-04'],
  },
  {
    name: 'kills only the first process at the limit',
    rules: { kill: (pid) => signalGroup(pid, 'SIGKILL') },
    section: 'environment',
    caughtBy: ['environment-07', 'environment-08'],
  },
  {
    name: 'fails a call that leaves a process behind',
    rules: {
      before: ({ body }) =>
        body.toString() === '{"job_id":7,"args":[2]}'
          ? { status: 500, body: { ...refusal('INFRASTRUCTURE_ERROR'), success: false } }
          : undefined,
    },
    section: 'environment',
    caughtBy: ['environment-07', 'environment-08'],
  },
  {
    name: 'fails what needs much memory, however much it has',
    rules: {
      judge: (ending) => {
        const outcome = judgeStrictly(ending);
        return outcome.result.toString() === 'had it all'
          ? failure(500, 'OUT_OF_MEMORY', 'too much', 'yes')
          : outcome;
      },
    },
    section: 'environment',
    caughtBy: ['environment-10'],
  },
  {
    name: 'lets a call run on when its caller has gone',
    rules: { killsForGoneCaller: false },
    section: 'timeouts',
    caughtBy: ['timeouts-06'],
  },
  {
    name: 'keeps the place of a call that ran out of time, until the function is replaced',
    rules: { keepsPlace: ({ code }) => code === 'TIMEOUT' },
    section: 'timeouts',
    caughtBy: ['timeouts-05'],
  },
  {
    name: 'keeps the place of a call whose caller has gone, until the function is replaced',
    rules: { keepsPlace: (outcome) => outcome.error === CANCELLED.error },
    section: 'timeouts',
    caughtBy: ['timeouts-06'],
  },
  {
    name: 'does not pass env_vars',
    rules: {
      environment: (run, home) =>
        CORRECT.environment({ ...run, config: { ...run.config, env_vars: {} } }, home),
    },
    section: 'environment',
    caughtBy: ['environment-02', 'environment-03'],
  },
  {
    name: 'leaks its own environment to functions',
    rules: {
      environment: (run, home) => ({ SECRET_OF_THE_PLATFORM: 'x', ...CORRECT.environment(run, home) }),
    },
    section: 'environment',
    caughtBy: ['environment-01'],
  },
  {
    name: 'gives all calls one home folder',
    rules: { home: 'made by the test' },
    section: 'environment',
    caughtBy: ['environment-05'],
  },
  {
    name: 'runs more than max_concurrency at once',
    rules: { concurrency: () => 1000 },
    section: 'concurrency',
    caughtBy: ['concurrency-01'],
  },
  {
    name: 'counts the places of each version for itself',
    rules: { placesOf: 'version' },
    section: 'concurrency',
    caughtBy: ['concurrency-06'],
  },
];
