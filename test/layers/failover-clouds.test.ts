/** failover([lambda, gcp, azure]): one provider goes dark in mid-run, and the run goes on. */
import { describe, expect, it } from 'vitest';
import { defineJob, JobRunner, type Outcome } from '../../src/index.js';
import { circuitBreaker, failover } from '../../src/layers/index.js';
import { chaosProxy } from '../../src/testing/index.js';
import * as lambda from '../aws-lambda/setup.js';
import * as azure from '../azure-functions/setup.js';
import { fakeLambda } from '../fakes/aws-lambda.js';
import * as gcp from '../gcp-functions/setup.js';

const CALLS = 600;
const IN_FLIGHT = 16;
const soon = (n: number) => new Promise<number>((resolve) => setTimeout(() => resolve(n + 1), 2));
const once = defineJob({ id: 1, name: 'once', timeoutMs: 10_000, handler: soon });
const again = defineJob({ id: 2, name: 'again', timeoutMs: 10_000, idempotent: true, handler: soon });
const jobs = [once, again];

/** Three clouds with both jobs deployed, Lambda behind a proxy that can be cut. */
async function threeClouds() {
  const aws = await fakeLambda({ jobs });
  const proxy = await chaosProxy({ target: aws.url, seed: 1, faults: [] });
  const onLambda = lambda.executorFor(aws, { endpoint: proxy.url, connections: IN_FLIGHT });
  const google = await gcp.bench({ jobs });
  const microsoft = await azure.bench({ jobs });
  for (const { id } of jobs) {
    await onLambda.deployJob(id, lambda.artifact);
    await google.executor.deployJob(id, gcp.artifact);
    await microsoft.executor.deployJob(id, azure.artifact);
  }
  const executions = [aws.runs.executions, google.fake.http.executions, microsoft.fake.executions];
  return {
    executors: [onLambda, google.executor, microsoft.executor] as const,
    proxy,
    google: google.fake,
    /** How often a call ran, wherever it did. */
    runsOf: ({ callId }: Outcome) => executions.reduce((sum, one) => sum + (one.get(callId) ?? 0), 0),
    /** How many calls each cloud ran. */
    shares: () => executions.map((one) => one.size),
    async [Symbol.asyncDispose]() {
      await onLambda.close();
      await proxy.close();
      await google[Symbol.asyncDispose]();
      await microsoft[Symbol.asyncDispose]();
      await aws.close();
    },
  };
}

async function run(
  { executors }: Awaited<ReturnType<typeof threeClouds>>,
  onOutcome: (outcome: Outcome, n: number) => void,
): Promise<Outcome[]> {
  const [onLambda, ...others] = executors;
  const chain = failover([circuitBreaker()(onLambda), ...others]);
  const outcomes: Outcome[] = [];
  function* calls() {
    for (let n = 0; n < CALLS; n += 1) yield n % 2 === 0 ? once.call(n) : again.call(n);
  }
  await JobRunner.builder()
    .job(once)
    .job(again)
    .producer(calls)
    .consumer((outcome) => {
      outcomes.push(outcome);
      onOutcome(outcome, outcomes.length);
    })
    .withFaasExecutor(once.id, chain)
    .withFaasExecutor(again.id, chain)
    .concurrency(IN_FLIGHT)
    .run();
  return outcomes;
}

describe('failover over three clouds', () => {
  it('one goes dark in mid-run: no job fails that need not, none runs twice unless idempotent', async () => {
    await using clouds = await threeClouds();
    const outcomes = await run(clouds, (_, n) => {
      if (n === CALLS / 3) void clouds.proxy.close();
    });
    expect(outcomes).toHaveLength(CALLS);
    const failed = outcomes.filter(({ status }) => status !== 'ok');
    // Only what was under way when the light went out, and may have run: nobody may send that again.
    expect(failed.length).toBeLessThanOrEqual(IN_FLIGHT);
    for (const { jobId, error } of failed) {
      expect(jobId).toBe(once.id);
      expect(error).toMatchObject({ executed: 'maybe' });
    }
    const twice = outcomes.filter((outcome) => clouds.runsOf(outcome) > 1);
    expect(twice.every(({ jobId }) => jobId === again.id)).toBe(true);
    const [onLambda = 0, onGoogle = 0] = clouds.shares();
    expect(onLambda).toBeGreaterThanOrEqual(CALLS / 3 - IN_FLIGHT);
    expect(onGoogle).toBeGreaterThanOrEqual(CALLS / 3);
  });

  it('and when the second refuses too, the third does it: no call is lost, none runs twice', async () => {
    await using clouds = await threeClouds();
    await clouds.proxy.close();
    clouds.google.fault('POST run', { status: 429, body: 'Rate exceeded.' }, 1_000_000);
    const outcomes = await run(clouds, () => {});
    expect(outcomes.filter(({ status }) => status !== 'ok')).toEqual([]);
    expect(outcomes.filter((outcome) => clouds.runsOf(outcome) !== 1)).toEqual([]);
    expect(clouds.shares()).toEqual([0, 0, CALLS]);
  });
});
