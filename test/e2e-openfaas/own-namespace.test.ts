/** An executor that names no namespace acts in the account's own, and in no other that happens to have the name. */
import { describe, expect, it } from 'vitest';
import { NAMESPACE } from '../fakes/e2e-cloud.js';
import { failureOf, platformBench } from './setup.js';

const NAME = 'jobferry-job-9';

/** Of another team, made by whatever means. */
function foreign(id: string, annotations: Record<string, string> = {}) {
  const config = { memory_mb: 128, timeout_seconds: 30, min_scale: 1, max_scale: 5, hardware_type: 'cpu' };
  const rest = { config, environment: {}, secrets: [], labels: {}, annotations, runtime: 'node20' };
  return { id, name: NAME, namespace: 'team-b', template: 'http', status: 'Running', reads: 9, ...rest };
}

describe('without a namespace', () => {
  it('a function elsewhere is not removed, called or changed: the namespace is asked for', async () => {
    await using it = await platformBench();
    it.fake.functions.set('b', foreign('b', { 'jobferry-job-id': '9', 'jobferry-digest': 'x' }));
    const { executor } = it;
    for (const work of [() => executor.undeployJob(9), () => it.deploy(9), () => executor.getDeployment(9)]) {
      expect(await failureOf(work())).toMatchObject({
        code: 'CONFIG',
        message: expect.stringMatching(/jobferry-job-9 in the namespace team-b.*JOBFERRY_E2E_NAMESPACE/),
      });
    }
    expect(it.fake.writes()).toEqual([]);
    expect([...it.fake.functions.keys()]).toEqual(['b']);
  });

  it('what was made by such an executor tells where the account’s own is, also to the next process', async () => {
    await using it = await platformBench();
    await it.deploy(1);
    it.fake.functions.set('b', foreign('b'));
    await using next = await platformBench({}, { url: it.fake.platformUrl });
    await next.executor.undeployJob(9);
    expect(it.fake.functions.has('b')).toBe(true);
    await next.executor.undeployJob(1);
    expect([...it.fake.functions.keys()]).toEqual(['b']);
  });

  it('stays known when an executor that names the namespace changes the function', async () => {
    await using it = await platformBench();
    await it.deploy(1);
    await using named = await platformBench({}, { url: it.fake.platformUrl, namespace: NAMESPACE });
    await named.deploy(1, { memoryMb: 512 });
    await using next = await platformBench({}, { url: it.fake.platformUrl });
    await next.executor.undeployJob(1);
    expect(it.fake.functions.size).toBe(0);
  });
});
