/** Apache's own client against the same fake: what it understands, the fake has not made up for our executor alone. */
import openwhisk from 'openwhisk';
import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { bench } from './setup.js';

const jobs = [
  defineJob({ id: 1, name: 'double', handler: (n: number) => 2 * n }),
  defineJob({
    id: 2,
    name: 'failing',
    handler: () => {
      throw new RangeError('too far');
    },
  }),
];
const event = (jobId: number, input: unknown) => ({
  job_id: jobId,
  args_base64: Buffer.from(JSON.stringify(input)).toString('base64'),
});

async function client() {
  const it = await bench({ jobs });
  await it.deploy(1);
  const [namespace] = [...it.fake.namespaces.values()];
  const apiKey = `${namespace?.['uuid']}:${namespace?.['key']}`;
  return { ...it, whisk: openwhisk({ api: `${it.fake.url}/api/v1/`, api_key: apiKey, namespace: '_' }) };
}

describe('Apache’s client', () => {
  it('finds, lists and calls what our executor has deployed', async () => {
    const { whisk, fake, executor } = await client();
    const action = await whisk.actions.get('jobferry-job-1');
    expect(action).toMatchObject({ name: 'jobferry-job-1', limits: { memory: 256 } });
    expect((await whisk.actions.list()).map(({ name }) => name)).toEqual(['jobferry-job-1']);
    const reply = await whisk.actions.invoke({
      name: 'jobferry-job-1',
      blocking: true,
      result: false,
      params: event(1, 21),
    });
    const { response, activationId } = reply as unknown as {
      activationId: string;
      response: { success: boolean; result: { result_base64: string } };
    };
    expect(response.success).toBe(true);
    expect(Buffer.from(response.result.result_base64, 'base64').toString()).toBe('42');
    expect((await whisk.activations.get(activationId)).activationId).toBe(activationId);
    await executor.close();
    await fake.close();
  });

  it('is told of a failing function by the status it knows', async () => {
    const { whisk, fake, executor, deploy } = await client();
    await deploy(2);
    const failing = whisk.actions.invoke({ name: 'jobferry-job-2', blocking: true, params: event(2, null) });
    await expect(failing).rejects.toMatchObject({ statusCode: 502 });
    await executor.close();
    await fake.close();
  });

  it('deletes, and what it deleted is missing for our executor', async () => {
    const { whisk, fake, executor } = await client();
    await whisk.actions.delete('jobferry-job-1');
    expect(await executor.healthCheck(1)).toEqual({ status: 'missing' });
    await executor.close();
    await fake.close();
  });
});
