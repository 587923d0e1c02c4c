/** The real thing: our platform's doors, with a process of Node.js behind each function. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startPlatform } from '../../platform/src/index.js';
import { callContext } from '../../src/core/scope.js';
import {
  CallbackReceiver,
  E2eOpenFaasExecutor,
  type OpenFaasOptions,
  pythonHandler,
} from '../../src/executors/e2e-openfaas/index.js';
import { packageFiles, packageHandler } from '../../src/packaging/index.js';
import { hasPython } from '../support/python.js';
import { artifact as anyArtifact, callOf, failureOf } from './setup.js';

async function platformWith<T extends object>(make: (url: string) => T) {
  const dataDir = await mkdtemp(join(tmpdir(), 'jobferry-doors-'));
  const platform = await startPlatform({ port: 0, dataDir, concurrency: 4 });
  return {
    ...make(platform.url),
    async close() {
      await platform.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

describe('the E2E door with code of users', () => {
  it('hands secrets to jobs under the names they want, and follows a change of code', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'jobferry-door-jobs-'));
    const { executor, close } = await platformWith((url) => ({
      executor: new E2eOpenFaasExecutor({ profile: 'e2e-platform', url: `${url}/faas/api/v1` }),
    }));
    const packed = async (handler: string) => {
      const file = join(folder, 'jobs.ts');
      await writeFile(file, `export default ${handler};\n`);
      return packageHandler({ entry: file, target: 'e2e' });
    };
    const answer = async () => {
      const { result } = await executor.invoke(callOf(1), callContext({ timeoutMs: 20_000 }));
      return JSON.parse(Buffer.from(result).toString()) as unknown;
    };
    try {
      await executor.server.putSecret('db-password', 'hunter2');
      const config = { secrets: { PASSWORD: 'db-password' }, env: { LEVEL: '9' }, timeoutSecs: 30 };
      await executor.deployJob(1, await packed('() => [process.env.PASSWORD, process.env.LEVEL]'), config);
      expect(await answer()).toEqual(['hunter2', '9']);
      await executor.deployJob(1, await packed('() => "changed"'), config);
      expect(await answer()).toBe('changed');
      const broken = executor.deployJob(2, await packed('(() => { throw new TypeError("no") })()'), config);
      // The template starts, and the entry says what is wrong with what it loads.
      await broken;
      const error = await failureOf(executor.invoke(callOf(2), callContext({ timeoutMs: 20_000 })));
      expect(error).toMatchObject({ code: 'CONFIG', executed: 'no' });
      const syntax = await packageFiles([{ path: 'handler.js', bytes: 'module.exports = (' }]);
      const refused = await failureOf(executor.deployJob(3, syntax, { timeoutSecs: 30 }));
      expect(refused).toMatchObject({ code: 'CONFIG', executed: 'no' });
      expect(refused.message).toContain('SyntaxError');
    } finally {
      await executor.close();
      await close();
      await rm(folder, { recursive: true, force: true });
    }
  });

  it.runIf(hasPython)('runs Python jobs behind our entry', async () => {
    const { executor, close } = await platformWith((url) => ({
      executor: new E2eOpenFaasExecutor({ profile: 'e2e-platform', url: `${url}/faas/api/v1` }),
    }));
    try {
      const source =
        'def job(data, call):\n    if call["job_id"] == 2: raise ValueError("too far")\n    return data[::-1]\n';
      const python = await packageFiles([{ path: 'handler.py', bytes: pythonHandler(source) }]);
      for (const id of [1, 2]) await executor.deployJob(id, python, { timeoutSecs: 30 });
      const context = callContext({ timeoutMs: 20_000 });
      const { result } = await executor.invoke(callOf(1, { args: Uint8Array.of(0, 1, 255) }), context);
      expect([...result]).toEqual([255, 1, 0]);
      expect(await failureOf(executor.invoke(callOf(2), context))).toMatchObject({
        code: 'FUNCTION_ERROR',
        remote: { name: 'ValueError', message: 'too far' },
      });
      expect(await executor.warm(1)).toBe(1);
    } finally {
      await executor.close();
      await close();
    }
  });
});

describe('the OpenFaaS door', () => {
  const options: OpenFaasOptions = {
    payload: 'raw',
    openfaas: { image: 'functions/alpine:latest', envProcess: 'cat' },
  };

  it('runs any program that reads and writes: deploy, call, queue, scale, logs, secrets, undeploy', async () => {
    const { executor, close } = await platformWith((url) => ({
      executor: new E2eOpenFaasExecutor({ url, ...options }),
    }));
    try {
      await executor.server.putSecret('token', 'x');
      const config = { timeoutSecs: 30, env: { A: '1' }, labels: { team: 'north' } };
      const deployment = await executor.deployJob(1, anyArtifact, config);
      expect(deployment).toMatchObject({ functionName: 'jobferry-job-1', memoryMb: 512, timeoutSecs: 30 });
      expect(await executor.deployJob(1, anyArtifact, config)).toEqual(deployment);
      const call = callOf(1, { args: Uint8Array.of(0, 255, 10) });
      const { result, metrics } = await executor.invoke(call, callContext({ timeoutMs: 20_000 }));
      expect([...result]).toEqual([0, 255, 10]);
      expect(metrics.requestId).toEqual(expect.any(String));

      await using receiver = await new CallbackReceiver().open();
      const queued = await executor.invokeAsync(
        callOf(1, { args: Buffer.from('later') }),
        callContext(),
        receiver,
      );
      const later = await queued.result(callContext({ timeoutMs: 20_000 }));
      expect(Buffer.from(later.result).toString()).toBe('later');

      expect(await executor.scale(1, 2)).toBe(2);
      expect(await executor.scale(1, 0)).toBe(0);
      await executor.invoke(callOf(1), callContext({ timeoutMs: 20_000 })); // wakes it
      const lines: string[] = [];
      for await (const { message } of executor.logs(1, { tail: 100 })) lines.push(message);
      expect(lines.length).toBeGreaterThan(0);
      expect(await executor.server.listSecrets()).toEqual(['token']);
      expect((await executor.listDeployments()).map(({ jobId }) => jobId)).toEqual([1]);
      expect(await executor.server.info()).toMatchObject({ provider: { provider: expect.any(String) } });
      await executor.undeployJob(1);
      await executor.undeployJob(1);
      expect(await failureOf(executor.invoke(callOf(1), callContext()))).toMatchObject({ code: 'NOT_FOUND' });
    } finally {
      await executor.close();
      await close();
    }
  });

  it('says why a function does not come up', async () => {
    const { executor, close } = await platformWith((url) => ({
      executor: new E2eOpenFaasExecutor({
        url,
        ...options,
        openfaas: { image: 'registry/x:1' },
      }),
    }));
    try {
      const error = await failureOf(executor.deployJob(1, anyArtifact));
      expect(error).toMatchObject({ code: 'INVALID_REQUEST', executed: 'no' });
      expect(error.message).toContain('container engine');
    } finally {
      await executor.close();
      await close();
    }
  });
});
