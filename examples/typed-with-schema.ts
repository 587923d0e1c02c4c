/** Schemas guard both ends of a job, and its types follow from them. Any Standard Schema validator fits. */
import { defineJob, JobRunner } from 'jobferry';
import { z } from 'zod';

const resize = defineJob({
  id: 20,
  name: 'resize',
  input: z.object({
    width: z.number().int().positive(),
    height: z.number().int().positive(),
    scale: z.number(),
  }),
  output: z.object({ width: z.number(), height: z.number() }),
  handler: ({ width, height, scale }) => ({ width: width * scale, height: height * scale }),
});

await JobRunner.builder()
  .job(resize)
  .producer([
    resize.call({ width: 640, height: 480, scale: 2 }),
    // As it might come out of a queue: the types cannot know, the schema does.
    { jobId: resize.id, input: { width: -1, height: 'tall', scale: 1 } },
  ])
  .consumer((outcome) => {
    if (outcome.status === 'ok') console.log('ok', outcome.value.width, 'x', outcome.value.height);
    else console.log(outcome.status, outcome.error.code, outcome.error.message);
  })
  .run();
