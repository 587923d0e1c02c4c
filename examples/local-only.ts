/** Jobs, producers, consumers and nothing else: everything runs in this process. */
import { defineJob, JobRunner } from 'jobferry';

const greet = defineJob({ id: 0, name: 'greet', handler: (name: string) => `Hello, ${name}!` });
const divide = defineJob({
  id: 1,
  name: 'divide',
  handler: ({ by }: { by: number }) => {
    if (by === 0) throw new RangeError('division by zero');
    return 1 / by;
  },
});

const summary = await JobRunner.builder()
  .job(greet)
  .job(divide)
  .producer([greet.call('Ada'), divide.call({ by: 0 }), greet.call('Grace')])
  .consumer((outcome) => {
    // A failing job is an outcome like any other; the runner goes on.
    if (outcome.status === 'ok') console.log(outcome.jobName, 'ok', outcome.value);
    else console.log(outcome.jobName, outcome.status, outcome.error.message);
  })
  .run();

console.log(`${summary.ok} ok, ${summary.failed} failed`);
