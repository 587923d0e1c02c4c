import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { fileFunctionIds, memoryFunctionIds, RUNTIMES } from '../../src/executors/e2e-openfaas/index.js';
import { packageFiles } from '../../src/packaging/zip.js';
import { RUNTIMES as DECLARED } from '../../src/resources/core/runtimes.js';
import { NAMESPACE } from '../fakes/e2e-cloud.js';
import { accountBench, artifact, callOf, failureOf, otherArtifact } from './setup.js';

const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];
const NAME = 'jobferry-job-1';
const QUERY = 'apikey=fake-e2e-api-key-0123&project_id=4711&location=Delhi';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-e2e-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a deploy by E2E’s account API', () => {
  it('sends exactly these requests, code as text, marks in the environment', async () => {
    await using it = await accountBench({ jobs, runningWord: 'active' });
    await it.deploy(1, { env: { LEVEL: '9' }, timeoutSecs: 60, keepWarm: 2 });
    await it.executor.undeployJob(1);
    expect(it.fake.targets).toEqual([
      `POST /myaccount/api/v1/faas/namespace?${QUERY}`,
      `POST /myaccount/api/v1/faas/functions?${QUERY}`,
      `GET /myaccount/api/v1/faas/function/101/?${QUERY}`,
      `GET /myaccount/api/v1/faas/function/101/?${QUERY}`,
      `DELETE /myaccount/api/v1/faas/function/101/?${QUERY}`,
      `GET /myaccount/api/v1/faas/function/101/?${QUERY}`,
    ]);
    expect(it.fake.bodies.slice(0, 2)).toEqual([
      { name: NAMESPACE },
      {
        name: NAME,
        namespace: NAMESPACE,
        runtime: 'node-20',
        code_inline: 'module.exports = async () => {};\n',
        memory_mb: 256,
        timeout_seconds: 60,
        min_replicas: 2,
        max_replicas: 5,
        environment: {
          LEVEL: '9',
          MAX_RAW_SIZE: '32mb',
          RAW_BODY: 'true',
          JOBFERRY_JOB_ID: '1',
          JOBFERRY_DIGEST: expect.any(String),
          JOBFERRY_CODE_SHA256: artifact.sha256,
          JOBFERRY_CODE_BYTES: String(artifact.bytes.length),
        },
      },
    ]);
  });

  it('changes with one PUT that holds what differs, and writes nothing for the same', async () => {
    await using it = await accountBench({ jobs });
    await it.deploy(1);
    await it.deploy(1);
    await it.deploy(1, { memoryMb: 512 });
    await it.executor.deployJob(1, otherArtifact, { memoryMb: 512 });
    const puts = it.fake.bodies.filter((_, index) => it.fake.operations[index] === 'PUT faas/function');
    expect(puts.map((body) => Object.keys(body).sort())).toEqual([
      ['environment', 'memory_mb'],
      ['code_inline', 'environment'],
    ]);
  });

  it('works where environments are not read back, by writing again', async () => {
    await using it = await accountBench({ jobs, hidesEnvironment: true });
    await it.deploy(1);
    await it.deploy(1, { memoryMb: 512 });
    expect(await it.executor.getDeployment(1)).toMatchObject({ memoryMb: 512 });
  });

  it('undeploys until it is gone, and forgets its id', async () => {
    const ids = memoryFunctionIds();
    await using it = await accountBench({ jobs, deletingReads: 3, hidesEnvironment: true }, { ids });
    await it.deploy(1);
    await it.executor.undeployJob(1);
    expect([it.fake.functions.size, await ids.list()]).toEqual([0, {}]);
  });

  it('is told what is wrong by the envelope, whatever the status', async () => {
    await using it = await accountBench({ jobs });
    it.fake.fault('POST faas/functions', {
      status: 200,
      body: JSON.stringify({ code: 422, message: 'quota reached', data: null, errors: {} }),
    });
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code: 'INVALID_REQUEST', executed: 'no', status: 422 });
    expect(error.message).toContain('quota reached');
    await it.deploy(1); // a refusal left nothing behind
  });

  it('goes on when the namespace is refused as there already, and stops when the caller is', async () => {
    await using it = await accountBench({ jobs });
    it.fake.namespaces.add(NAMESPACE);
    it.fake.fault('POST faas/namespace', { status: 400, body: '{"code":400,"message":"exists"}' });
    await it.deploy(1);
    it.fake.fault('POST faas/namespace', { status: 403 });
    expect(await failureOf(it.deploy(2))).toMatchObject({ code: 'AUTH' });
    expect(it.fake.functions.size).toBe(1);
  });

  it.each([
    ['lost after it was done', { reset: 'after' }, 1],
    ['lost before', { reset: 'before' }, 0],
    ['answered by a gateway that failed', { status: 504 }, 0],
  ] as const)('never makes a function twice when the answer to its create was %s', async (_, fault, made) => {
    const ids = memoryFunctionIds();
    await using it = await accountBench({ jobs }, { ids });
    it.fake.fault('POST faas/functions', fault);
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code: 'CONFLICT', executed: 'no' });
    expect(error.message).toContain(`${NAME} got no answer, so it may exist`);
    expect((await failureOf(it.deploy(1))).message).toContain('may exist');
    expect((await failureOf(it.executor.undeployJob(1))).message).toContain('may exist');
    expect(it.fake.operations.filter((operation) => operation === 'POST faas/functions')).toHaveLength(1);
    expect(it.fake.functions.size).toBe(made);
    // A person has looked.
    if (made === 1) await ids.set(NAME, { id: '101' });
    else await ids.delete(NAME);
    await it.deploy(1);
    expect(it.fake.functions.size).toBe(1);
  });

  it('killed between the answer to its create and noting the id, is told so by the next one', async () => {
    const path = join(folder, 'ids.json');
    const ids = fileFunctionIds(path);
    const dying = {
      ...ids,
      set: (name: string, id: object) =>
        'id' in id ? new Promise<void>(() => {}) : ids.set(name, id as never),
    };
    await using it = await accountBench({ jobs }, { ids: dying, deployTimeoutMs: 60_000 });
    // It never comes back, as of a process that is gone.
    void it.deploy(1).catch(() => {});
    while (it.fake.functions.size === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await using next = await accountBench({}, { url: it.fake.accountUrl, ids: fileFunctionIds(path) });
    expect((await failureOf(next.deploy(1))).message).toContain('may exist');
    expect(it.fake.functions.size).toBe(1);
  });

  it.each(['GET faas/function', 'PUT faas/function'])(
    'cut off at %s is finished by the next one',
    async (operation) => {
      for (const reset of ['before', 'after'] as const) {
        await using it = await accountBench({ jobs });
        await it.deploy(1);
        const crash = new AbortController();
        it.fake.fault(operation, { reset, run: () => crash.abort() });
        await it.executor.deployJob(1, otherArtifact, { memoryMb: 512 }, crash.signal).catch(() => {});
        await it.executor.deployJob(1, otherArtifact, { memoryMb: 512 });
        const writes = it.fake.writes().length;
        await it.executor.deployJob(1, otherArtifact, { memoryMb: 512 });
        expect(it.fake.writes()).toHaveLength(writes);
        expect(await it.executor.getDeployment(1)).toMatchObject({
          memoryMb: 512,
          sha256: otherArtifact.sha256,
        });
      }
    },
  );

  it('keeps ids in a file, so that another process finds the function', async () => {
    const path = join(folder, 'deep', 'ids.json');
    await using it = await accountBench({ jobs }, { ids: fileFunctionIds(path) });
    await Promise.all([it.deploy(1), it.deploy(2)]);
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
      [NAME]: { id: expect.any(String) },
      'jobferry-job-2': { id: expect.any(String) },
    });
    await using other = await accountBench({}, { url: it.fake.accountUrl, ids: fileFunctionIds(path) });
    await other.executor.invoke(callOf(1), callContext());
    expect(await other.executor.listDeployments()).toHaveLength(2);
    await other.executor.undeployJob(1);
    await other.executor.undeployJob(2);
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({});
  });

  it.each([
    [{ secrets: { A: 'a' } }, 'UNSUPPORTED', '`secrets`'],
    [{ labels: { a: 'b' } }, 'UNSUPPORTED', '`labels`'],
    [{ maxConcurrency: 2 }, 'UNSUPPORTED', '`maxConcurrency`'],
    [{ memoryMb: 64 }, 'CONFIG', 'use an integer from 128'],
    [{ env: { JOBFERRY_DIGEST: 'x' } }, 'CONFIG', '`env`'],
    [{ e2e: { requirements: 'requests' } }, 'UNSUPPORTED', '`e2e.requirements`'],
    [{ e2e: { hardware: 'gpu' } }, 'UNSUPPORTED', '`e2e.hardware`'],
    [{ e2e: { runtime: 'go1.21' } }, 'UNSUPPORTED', 'code as one text'],
  ])('refuses %j by name before anything is made: origin-defects 0.11', async (config, code, text) => {
    await using it = await accountBench({ jobs });
    const error = await failureOf(it.executor.deployJob(1, artifact, config as never));
    expect(error).toMatchObject({ code, executed: 'no' });
    expect(error.message).toContain(text);
    expect(it.fake.operations).toEqual([]);
  });

  it('refuses an artifact of several files: the API takes one', async () => {
    await using it = await accountBench({ jobs });
    const two = await packageFiles([
      { path: 'handler.js', bytes: 'x' },
      { path: 'lib.js', bytes: 'y' },
    ]);
    expect((await failureOf(it.executor.deployJob(1, two))).message).toContain('lib.js');
  });

  it('wants names that begin with a letter, of up to 40 characters', async () => {
    await using it = await accountBench({ jobs }, { functionName: (id) => `${id}-job` });
    expect(await failureOf(it.deploy(1))).toMatchObject({ code: 'CONFIG' });
  });
});

it('logs, namespaces and what is not there', async () => {
  await using it = await accountBench({ jobs });
  await it.deploy(1);
  const [id, found] = [...it.fake.functions][0] ?? ['', {}];
  it.fake.functions.set(id, { ...found, logs: [{ message: 'one' }, { message: 'two' }] });
  const seen = [];
  for await (const { message } of it.executor.logs(1)) seen.push(message);
  expect(seen).toEqual(['one', 'two']);
  const { server } = it.executor;
  await server.createNamespace('n1');
  await server.deleteNamespace('n1');
  expect(it.fake.targets.at(-1)).toContain('faas/namespace?namespace=n1&');
  expect(await failureOf(server.listNamespaces())).toMatchObject({ code: 'UNSUPPORTED' });
  expect(await failureOf(server.putSecret('a', 'b'))).toMatchObject({ code: 'UNSUPPORTED' });
  expect(await failureOf(it.executor.scale(1, 2))).toMatchObject({ code: 'UNSUPPORTED' });
});

describe('the runtimes', () => {
  it('are those that can be declared, with the same templates, hardware and days', () => {
    const brief = RUNTIMES.map(({ name, title, templates, hardware, endOfLife, aliases }) => {
      return { name, title, templates, hardware, endOfLife: endOfLife?.date, aliases };
    });
    expect(brief).toEqual(
      DECLARED.filter(({ name }) => name !== 'node').map(({ version: _, endOfLife, aliases, ...rest }) => ({
        ...rest,
        endOfLife,
        aliases,
      })),
    );
  });

  it('say where the end of a language was read', () => {
    for (const { endOfLife } of RUNTIMES) {
      if (endOfLife === undefined) continue;
      expect(endOfLife.source).toMatch(/^https:\/\//);
      expect(endOfLife.date).toMatch(/^\d{4}-\d\d-\d\d$/);
    }
  });
});
