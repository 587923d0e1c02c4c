import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { packageFiles } from '../../src/packaging/zip.js';
import { API_KEY, AUTH_TOKEN } from '../fakes/e2e-cloud.js';
import { artifact, callOf, failureOf, otherArtifact, platformBench } from './setup.js';

const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];
const NAME = 'jobferry-job-1';
const functionIn = (it: Awaited<ReturnType<typeof platformBench>>) => [...it.fake.functions.values()][0];

describe('a deploy by the API of E2E’s design documents', () => {
  it('creates with an archive, stores no guess, and waits until it runs', async () => {
    await using it = await platformBench({ jobs, settleReads: 3 });
    it.fake.secrets.set('db-password', 's');
    const deployment = await it.deploy(1, {
      timeoutSecs: 60,
      env: { LEVEL: '9' },
      secrets: { DB_PASSWORD: 'db-password' },
      labels: { team: 'north' },
      keepWarm: 2,
      e2e: { annotations: { note: 'x' }, maxReplicas: 3 },
    });
    const post = it.fake.bodies[it.fake.operations.indexOf('POST functions')];
    expect(post).toEqual({
      name: NAME,
      runtime: 'node20',
      template: 'http',
      handler_function: 'handle',
      code_archive: Buffer.from(artifact.bytes).toString('base64'),
      code_sha256: artifact.sha256,
      config: { memory_mb: 256, timeout_seconds: 60, hardware_type: 'cpu', min_scale: 2, max_scale: 3 },
      environment: {
        LEVEL: '9',
        MAX_RAW_SIZE: '32mb',
        RAW_BODY: 'true',
        JOBFERRY_SECRETS: '{"DB_PASSWORD":"db-password"}',
      },
      secrets: ['db-password'],
      labels: { team: 'north' },
      annotations: expect.objectContaining({ note: 'x', 'jobferry-job-id': '1' }),
    });
    expect(deployment).toMatchObject({
      functionName: NAME,
      memoryMb: 256,
      timeoutSecs: 60,
      sha256: artifact.sha256,
      endpoint: `${it.fake.origin}/faas/function/v1/${NAME}.e2e-faas-20235-dl/`,
    });
  });

  it('writes one group for each thing that changed, the marks last, and nothing for the same again', async () => {
    await using it = await platformBench({ jobs });
    await it.deploy(1);
    const since = async (work: Promise<unknown>) => {
      const before = it.fake.writes().length;
      await work;
      return it.fake.writes().slice(before);
    };
    expect(await since(it.deploy(1))).toEqual([]);
    expect(await since(it.deploy(1, { memoryMb: 512 }))).toEqual([
      'PUT function/config',
      'PUT function/metadata',
    ]);
    expect(await since(it.deploy(1, { memoryMb: 512, env: { A: '1' } }))).toEqual([
      'PUT function/environment',
      'PUT function/metadata',
    ]);
    expect(await since(it.executor.deployJob(1, otherArtifact, { memoryMb: 512, env: { A: '1' } }))).toEqual([
      'PUT function/code',
      'PUT function/metadata',
    ]);
    expect(functionIn(it)?.['archive']).toBe(Buffer.from(otherArtifact.bytes).toString('base64'));
    expect(await since(it.deploy(1, { memoryMb: 128, labels: { l: '1' } }))).toEqual([
      'PUT function/code',
      'PUT function/config',
      'PUT function/environment',
      'PUT function/metadata',
    ]);
  });

  it('fails with the reason that E2E gives, and a second deploy mends it', async () => {
    await using it = await platformBench({ jobs });
    it.fake.broken.set(NAME, 'handler.js: SyntaxError');
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code: 'CONFIG', executed: 'no', functionName: NAME });
    expect(error.message).toContain('Failed: handler.js: SyntaxError');
    expect(await it.executor.healthCheck(1)).toEqual({
      status: 'unhealthy',
      reason: 'Failed: handler.js: SyntaxError',
    });
    it.fake.broken.clear();
    await it.deploy(1);
    expect(await it.executor.healthCheck(1)).toEqual({ status: 'healthy' });
  });

  it.each(['Running', 'Ready', 'active', 'READY'])('takes the word %s for running', async (runningWord) => {
    await using it = await platformBench({ jobs, runningWord });
    await it.deploy(1);
  });

  it('waits through words it does not know, and names them when time is up', async () => {
    await using it = await platformBench({ jobs, runningWord: 'Reticulating' }, { deployTimeoutMs: 150 });
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code: 'TIMEOUT' });
    expect(error.message).toContain('Reticulating');
  });

  it('never sends a create again before it has looked', async () => {
    for (const fault of [{ reset: 'after' }, { reset: 'before' }, { status: 502 }] as const) {
      await using it = await platformBench({ jobs });
      it.fake.fault('POST functions', fault);
      await it.deploy(1);
      expect(it.fake.functions.size).toBe(1);
      const operations = it.fake.operations.slice(it.fake.operations.indexOf('POST functions'));
      expect(operations[1]).toBe('GET functions');
    }
  });

  it('takes over a function that someone else made first', async () => {
    await using it = await platformBench({ jobs });
    await using other = await platformBench({ jobs }, { url: it.fake.platformUrl });
    it.fake.fault('GET functions', { status: 200, body: '[]' });
    await other.deploy(1, { memoryMb: 128 });
    await it.deploy(1, { memoryMb: 1024 });
    expect(functionIn(it)?.['config']).toMatchObject({ memory_mb: 1024 });
  });

  it('waits for someone else’s change, five times', async () => {
    await using it = await platformBench({ jobs });
    await it.deploy(1);
    it.fake.fault('PUT function/config', { status: 409 }, 3);
    await it.deploy(1, { memoryMb: 512 });
    it.fake.fault('PUT function/config', { status: 409, body: '{"error":"busy"}' }, 9);
    const error = await failureOf(it.deploy(1, { memoryMb: 1024 }));
    expect(error).toMatchObject({ code: 'CONFLICT', executed: 'no' });
    expect(error.message).toContain('busy');
  });

  it.each([
    ['GET functions', false],
    ['POST functions', false],
    ['GET function', true],
    ['PUT function/code', true],
    ['PUT function/config', true],
    ['PUT function/environment', true],
    ['PUT function/metadata', true],
  ])('cut off at %s is finished by the next one (function existed: %s)', async (operation, existed) => {
    for (const reset of ['before', 'after'] as const) {
      await using it = await platformBench({ jobs });
      if (existed) await it.deploy(1);
      const crash = new AbortController();
      it.fake.fault(operation, { reset, run: () => crash.abort() });
      const config = { memoryMb: 512, env: { A: '1' }, labels: { l: '1' } };
      await it.executor.deployJob(1, otherArtifact, config, crash.signal).catch(() => {});
      await it.executor.deployJob(1, otherArtifact, config);
      const writes = it.fake.writes().length;
      await it.executor.deployJob(1, otherArtifact, config);
      expect(it.fake.writes()).toHaveLength(writes);
      expect(it.fake.functions.size).toBe(1);
      expect(functionIn(it)).toMatchObject({
        config: { memory_mb: 512 },
        environment: { A: '1' },
        labels: { l: '1' },
        archive: Buffer.from(otherArtifact.bytes).toString('base64'),
      });
    }
  });

  it.each([
    [{ maxConcurrency: 3 }, 'UNSUPPORTED', '`maxConcurrency`'],
    [{ memoryMb: 32 }, 'CONFIG', '`memoryMb` is 32: use an integer from 64 to 8192'],
    [{ timeoutSecs: 901 }, 'CONFIG', '`timeoutSecs` is 901'],
    [{ env: { RAW_BODY: 'false' } }, 'CONFIG', '`env` has a name that is taken'],
    [{ env: { A: '1' }, secrets: { A: 'a' } }, 'CONFIG', '`env` has a name that is taken'],
    [{ secrets: { A: 'a_b' } }, 'CONFIG', '`secrets.A`'],
    [{ keepWarm: 9, e2e: { maxReplicas: 3 } }, 'CONFIG', 'is more than `e2e.maxReplicas`'],
    [{ e2e: { hardware: 'gpu', runtime: 'node20', maxReplicas: 2 } }, 'CONFIG', '`e2e.maxReplicas` is 2'],
    [{ e2e: { runtime: 'cobol' } }, 'CONFIG', 'use one of python3.11, node20'],
    [{ e2e: { template: 'flask' } }, 'CONFIG', '`e2e.template of node20`'],
    [{ e2e: { runtime: 'python3.11' } }, 'CONFIG', 'has no handler.py'],
    [{ e2e: { runtime: 'custom' } }, 'CONFIG', '`e2e.image`'],
    [{ openfaas: { image: 'x' } }, 'UNSUPPORTED', '`openfaas`'],
  ])('refuses %j by name before anything is made: origin-defects 0.11', async (config, code, text) => {
    await using it = await platformBench({ jobs });
    const error = await failureOf(it.executor.deployJob(1, artifact, config as never));
    expect(error).toMatchObject({ code, executed: 'no' });
    expect(error.message).toContain(text);
    expect(it.fake.operations).toEqual([]);
  });

  it('refuses what cannot be changed later, and says what to do', async () => {
    await using it = await platformBench({ jobs });
    await it.deploy(1);
    const error = await failureOf(it.deploy(1, { e2e: { runtime: 'node18' } }));
    expect(error).toMatchObject({ code: 'CONFIG', executed: 'no' });
    expect(error.message).toContain('undeploy it first');
  });

  it('takes the runtime from the handler file, or an image in place of code', async () => {
    await using it = await platformBench({ jobs });
    const python = await packageFiles([{ path: 'handler.py', bytes: 'def handle(event, context): pass\n' }]);
    await it.executor.deployJob(1, python);
    await it.executor.deployJob(2, python, { e2e: { runtime: 'custom', image: 'registry/x:1' } });
    const [first, second] = [...it.fake.functions.values()];
    expect(first).toMatchObject({ runtime: 'python3.11', environment: {} });
    expect(second).toMatchObject({ runtime: 'custom', image: 'registry/x:1' });
    expect(second?.['archive']).toBeUndefined();
    const nothing = await packageFiles([{ path: 'bootstrap', bytes: '#!/bin/sh\n' }]);
    expect((await failureOf(it.executor.deployJob(3, nothing))).message).toContain(
      'handler.js nor handler.py',
    );
  });
});

describe('the rest of a function’s life by that API', () => {
  it('undeploys twice: origin-defects 0.15', async () => {
    await using it = await platformBench({ jobs });
    await it.deploy(1);
    await it.executor.undeployJob(1);
    await it.executor.undeployJob(1);
    expect(it.fake.functions.size).toBe(0);
  });

  it('undeploys until it is gone, and a deploy meanwhile waits for that', async () => {
    await using it = await platformBench({ jobs, deletingReads: 3 });
    await it.deploy(1);
    await it.executor.undeployJob(1);
    expect(it.fake.functions.size).toBe(0);
    await it.deploy(1);
    const id = [...it.fake.functions.keys()][0] ?? '';
    await fetch(`${it.fake.platformUrl}/functions/${id}?apikey=${API_KEY}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${AUTH_TOKEN}` },
    });
    await it.deploy(1);
    expect([...it.fake.functions.keys()]).not.toContain(id);
    expect(it.fake.functions.size).toBe(1);
  });

  it('scales to zero and back; what is idle is healthy', async () => {
    await using it = await platformBench({ jobs });
    await it.deploy(1);
    await it.executor.scale(1, 0);
    expect(await it.executor.healthCheck(1)).toEqual({ status: 'healthy' });
    await it.executor.scale(1, 2);
    expect(it.fake.bodies.filter(({ replicas }) => replicas !== undefined)).toEqual([
      { replicas: 0 },
      { replicas: 2 },
    ]);
  });

  it('follows logs, which hold a line twice when it was said twice', async () => {
    await using it = await platformBench({ jobs });
    await it.deploy(1);
    const [id, found] = [...it.fake.functions][0] ?? ['', {}];
    const logs = ['a', 'b', 'b'].map((message) => ({
      message,
      timestamp: '2026-01-01T00:00:00Z',
      level: 'error',
    }));
    it.fake.functions.set(id, { ...found, logs });
    const seen: string[] = [];
    const follower = new AbortController();
    for await (const { message, stream } of it.executor.logs(1, { follow: true, signal: follower.signal })) {
      seen.push(`${stream} ${message}`);
      if (seen.length === 3)
        it.fake.functions.set(id, { ...found, logs: [...logs, { message: 'c', level: 'info' }] });
      if (seen.length === 4) follower.abort();
    }
    expect(seen).toEqual(['stderr a', 'stderr b', 'stderr b', 'undefined c']);
  });

  it('asks for many lines, and without parameters where they are refused', async () => {
    await using it = await platformBench({ jobs });
    await it.deploy(1);
    await it.executor.invoke(callOf(1, { callId: 'mine' }), callContext());
    await it.executor.invoke(callOf(1, { callId: 'other' }), callContext());
    it.fake.fault('GET function/logs', { status: 422, body: '{"error":"tail is unknown"}' });
    const seen: string[] = [];
    for await (const { message } of it.executor.logs(1, { callId: 'mine', since: new Date(0) }))
      seen.push(message);
    expect(seen).toEqual(['ran mine']);
    const [first = '', second] = it.fake.targets.filter((target) => target.includes('/logs'));
    expect(first).toContain('?tail=1000&since=1970-01-01T00%3A00%3A00.000Z&apikey=');
    expect(second).not.toContain('tail');
  });

  it('keeps secrets, and says who uses one that is to be deleted', async () => {
    await using it = await platformBench({ jobs });
    const { server } = it.executor;
    await server.putSecret('token', 'one');
    await server.putSecret('token', Buffer.from('two'));
    expect(await server.listSecrets()).toEqual(['token']);
    expect(it.fake.secrets.get('token')).toBe('two');
    await it.deploy(1, { secrets: { TOKEN: 'token' } });
    const error = await failureOf(server.deleteSecret('token'));
    expect(error).toMatchObject({ code: 'CONFLICT' });
    expect(error.message).toContain(`used by ${NAME}`);
    await it.executor.undeployJob(1);
    await server.deleteSecret('token');
    await server.deleteSecret('token');
    expect(await failureOf(server.putSecret('raw', Uint8Array.of(255)))).toMatchObject({
      code: 'UNSUPPORTED',
    });
    expect(await failureOf(server.listNamespaces())).toMatchObject({ code: 'UNSUPPORTED' });
    expect(await failureOf(server.info())).toMatchObject({ code: 'UNSUPPORTED' });
  });

  it('calls functions of other makers only by its own names', async () => {
    await using it = await platformBench({ jobs });
    await it.deploy(1);
    const [id, found] = [...it.fake.functions][0] ?? ['', {}];
    it.fake.functions.set('x', { ...found, id: 'x', name: 'renamed' });
    expect((await it.executor.listDeployments()).map(({ functionName }) => functionName)).toEqual([NAME]);
    it.fake.functions.delete(id);
    expect(await failureOf(it.executor.invoke(callOf(1), callContext()))).toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});
