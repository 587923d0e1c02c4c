import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { fakeAzure, TOKEN } from '../fakes/azure-functions.js';
import { identityService } from '../fakes/azure-identity.js';
import { artifact, bench, callOf, executorFor, failureOf } from './setup.js';

const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];

describe('tokens', () => {
  it('are asked for once an audience, however many requests there are: origin-defects: a process each', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    await it.executor.listDeployments();
    expect(it.fake.tokenRequests).toEqual(['https://management.azure.com/.default']);
  });

  it('that were refused are renewed once', async () => {
    await using it = await bench({ jobs });
    await it.executor.listDeployments();
    it.fake.tokens.clear();
    it.fake.tokens.add('token-of-tomorrow');
    it.fake.tokenFor = () => 'token-of-tomorrow';
    await it.executor.listDeployments();
    expect(it.fake.tokenRequests).toHaveLength(2);
    it.fake.tokens.clear();
    const before = it.fake.operations.length;
    const error = await failureOf(it.executor.listDeployments());
    expect(error).toMatchObject({ code: 'AUTH', executed: 'no', status: 401 });
    expect(it.fake.operations.length - before).toBe(1);
  });

  it('of a sovereign cloud have its audience', async () => {
    await using it = await bench({ jobs }, { scope: 'https://management.chinacloudapi.cn/.default' });
    await it.executor.listDeployments();
    expect(it.fake.tokenRequests).toEqual(['https://management.chinacloudapi.cn/.default']);
  });

  it('that are not to be had are AUTH, and nothing was sent', async () => {
    await using it = await bench({ jobs });
    const nothing = { getToken: async () => null };
    const broken = {
      getToken: async (): Promise<never> => {
        throw new Error('ManagedIdentityCredential: no identity\nand more');
      },
    };
    for (const credential of [nothing, broken]) {
      await using caller = executorFor(it.fake, { credential });
      const error = await failureOf(caller.invoke(callOf(1), callContext()));
      expect(error).toMatchObject({ code: 'AUTH', executed: 'no' });
      expect(error.message).toMatch(/az login/);
    }
    expect(it.fake.operations).toEqual([]);
  });
});

describe('Microsoft’s credentials', () => {
  it('ManagedIdentityCredential and DefaultAzureCredential find the identity of where they run', async () => {
    const { ManagedIdentityCredential, DefaultAzureCredential } = await import('@azure/identity');
    await using identity = await identityService(() => TOKEN);
    const saved = { ...process.env };
    Object.assign(process.env, identity.env);
    try {
      await using fake = await fakeAzure({ jobs });
      // The default one is what an executor makes for itself: the example runs so, in a process of its own.
      for (const make of [() => new ManagedIdentityCredential(), () => new DefaultAzureCredential()]) {
        await using executor = executorFor(fake, { credential: make() });
        await executor.deployJob(1, artifact);
        await executor.invoke(callOf(1), callContext());
      }
      // The two share what Microsoft's library keeps for the process.
      expect(identity.resources.length).toBeGreaterThanOrEqual(1);
      for (const resource of identity.resources)
        expect(resource).toMatch(/^https:\/\/management\.azure\.com\/?$/);
    } finally {
      process.env = saved;
    }
  });
});
