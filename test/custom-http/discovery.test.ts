import { afterEach, describe, expect, it, vi } from 'vitest';
import { callContext } from '../../src/core/scope.ts';
import type { HttpFaasExecutorOptions } from '../../src/executors/custom-http/index.ts';
import type { FakePlatformOptions, ScriptedReply } from '../../src/testing/index.ts';
import { isAbout, isInvoke, learn, OCTETS, stage } from './platform-11.ts';
import { call, cancelWith, failureOf, jobCall, until } from './server.ts';
import { zip } from './slots.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const resource of open.splice(0).reverse()) await resource[Symbol.asyncDispose]();
});

async function staged(
  options: Partial<HttpFaasExecutorOptions> = {},
  platformOptions: FakePlatformOptions = {},
) {
  const made = await stage(options, platformOptions);
  open.push(made);
  const about = () => made.platform.requests.filter(isAbout).length;
  const invokes = () => made.platform.requests.filter(isInvoke);
  const scriptAbout = (rule: ScriptedReply) => made.platform.script([{ match: isAbout, ...rule }]);
  return { ...made, about, invokes, scriptAbout };
}

const large = { args: new Uint8Array(1024) };

describe('GET /api is asked when something could profit', () => {
  it('not for small calls', async () => {
    const { executor, lines } = await staged();
    await call(executor);
    await call(executor);
    expect(lines()).toEqual(Array(2).fill('POST /api/functions/job7/invoke'));
  });

  it('after a large call, which does not wait for it; the next one is binary', async () => {
    const { executor, about, invokes } = await staged();
    await call(executor, large);
    await until(() => about() === 1);
    await until(() => executor.limits.maxPayloadBytes !== undefined);
    await call(executor, large);
    expect(invokes().map(({ headers }) => headers['content-type'])).toEqual(['application/json', OCTETS]);
  });

  it('after a large result', async () => {
    const { executor, about } = await staged(
      {},
      { functions: { job7: () => new Uint8Array(1500).fill(200) } },
    );
    await call(executor);
    await until(() => about() === 1);
  });

  it('before an idempotent call, a deploy, a list and a log', async () => {
    for (const profit of ['call', 'deploy', 'list', 'log']) {
      const { executor, lines } = await staged();
      if (profit === 'call') await call(executor, { idempotent: true });
      if (profit === 'deploy') await executor.deployJob(7, zip());
      if (profit === 'list') await executor.listDeployments();
      if (profit === 'log') for await (const entry of executor.logs(7)) expect.fail(entry.message);
      expect(lines()[0]).toBe('GET /api');
    }
  });

  it('once, however many calls wait for it', async () => {
    const { executor, about, scriptAbout } = await staged();
    scriptAbout({ delayMs: 50 });
    await Promise.all(
      Array.from({ length: 50 }, (_, index) => call(executor, { callId: `c${index}`, idempotent: true })),
    );
    expect(about()).toBe(1);
  });

  it('with the credentials of the executor', async () => {
    const { executor } = await staged({ auth: { bearer: 'right' } }, { bearer: 'right' });
    await call(executor, { idempotent: true });
    expect(executor.limits.maxPayloadBytes).toBe(6 * 1024 * 1024);
  });

  it("never with spec: '1.0', nor for a job with an endpoint of its own", async () => {
    const old = await staged({ spec: '1.0' });
    await call(old.executor, { ...large, idempotent: true });
    await old.executor.deployJob(7, zip());
    expect(old.about()).toBe(0);
    const away = await staged();
    const { executor } = await staged({ endpoints: { 7: `${away.platform.url}/api/functions/job7/invoke` } });
    await call(executor, { ...large, idempotent: true });
    expect([away.about(), away.invokes()[0]?.headers['content-type']]).toEqual([0, 'application/json']);
  });
});

describe('a platform that cannot be asked', () => {
  it.each([404, 405, 400, 302, 200])(
    'answers %d: it is one of spec 1.0, and not asked again',
    async (status) => {
      const { executor, about, invokes, scriptAbout } = await staged();
      scriptAbout({ times: 9, respond: { status, body: 'what?' } });
      await call(executor, { idempotent: true });
      await call(executor, { ...large, idempotent: true });
      expect(about()).toBe(1);
      expect(invokes()[1]?.headers).toMatchObject({ 'content-type': 'application/json' });
      expect(invokes()[1]?.headers).not.toHaveProperty('x-faas-idempotency-key');
    },
  );

  it.each([401, 403, 429, 500, 503])(
    'answers %d: it is taken for one of spec 1.0 for a minute',
    async (status) => {
      vi.useFakeTimers({ toFake: ['performance'] });
      const { executor, about, scriptAbout } = await staged();
      scriptAbout({ respond: { status } });
      await call(executor, { idempotent: true });
      vi.advanceTimersByTime(59_000);
      await call(executor, { idempotent: true, callId: 'c2' });
      expect(about()).toBe(1);
      vi.advanceTimersByTime(1_000);
      await call(executor, { idempotent: true, callId: 'c3' });
      expect(about()).toBe(2);
      expect(executor.limits.maxPayloadBytes).toBe(6 * 1024 * 1024);
    },
  );

  it('resets the connection: calls go out as spec 1.0, what needs more says why it cannot', async () => {
    const { executor, scriptAbout } = await staged();
    scriptAbout({ reset: true });
    expect((await call(executor, { idempotent: true })).result).toHaveLength(3);
    const error = await failureOf(executor.listDeployments());
    expect([error.code, error.executed]).toEqual(['UNAVAILABLE', 'no']);
  });

  it('hangs: a call that waits for it still ends when it is cancelled, without having run', async () => {
    const { executor, about, platform, scriptAbout } = await staged();
    scriptAbout({ hang: true });
    const context = callContext();
    const outcome = failureOf(executor.invoke(jobCall({ idempotent: true }), context));
    await until(() => about() === 1);
    context.cancel(cancelWith());
    expect([(await outcome).code, (await outcome).executed]).toEqual(['CANCELLED', 'no']);
    expect(platform.executions.size).toBe(0);
  });

  it('hangs: closing does not wait for it', async () => {
    const { executor, about, scriptAbout } = await staged();
    scriptAbout({ hang: true });
    await call(executor, large);
    await until(() => about() === 1);
    await executor.close();
  });
});

describe("spec: '1.1'", () => {
  it('refuses a platform of spec 1.0, and one that cannot be asked', async () => {
    const { executor, lines } = await staged({ spec: '1.1' }, { spec: '1.0' });
    const error = await failureOf(call(executor));
    expect([error.code, error.executed]).toEqual(['UNSUPPORTED', 'no']);
    expect(error.message).toContain('it speaks spec 1.0');
    expect(lines()).toEqual(['GET /api']);
    const down = await staged({ spec: '1.1' });
    down.scriptAbout({ respond: { status: 503 } });
    expect((await failureOf(call(down.executor))).code).toBe('UNAVAILABLE');
  });
});

describe('a platform that takes its offer back', () => {
  it('with a 415: the same attempt goes out as spec 1.0, and calls after it too', async () => {
    const made = await staged();
    await learn(made);
    made.platform.script([
      { match: isInvoke, respond: { status: 415, body: { code: 'UNSUPPORTED_MEDIA_TYPE' } } },
    ]);
    expect((await call(made.executor)).result).toHaveLength(3);
    await call(made.executor, { callId: 'call-2' });
    const types = made.invokes().map(({ headers }) => headers['content-type']);
    expect(types.slice(1)).toEqual([OCTETS, 'application/json', 'application/json']);
    expect(made.platform.executions.get('call-1')).toBe(1);
  });
});

describe('limits', () => {
  it('are narrowed by what the platform states, and never widened', async () => {
    const { executor, scriptAbout } = await staged({
      limits: { maxPayloadBytes: 50, maxArtifactBytes: 1000 },
    });
    const limits = {
      max_args_bytes: 100,
      max_result_bytes: 2000,
      max_zip_bytes: 10 ** 9,
      memory_mb: { min: 256, max: 100_000, step: 64 },
      timeout_secs: { min: 1, max: 60 },
      max_concurrency: 'many',
    };
    scriptAbout({ respond: { status: 200, body: { spec: '1.0', limits } } });
    const before = executor.limits;
    await call(executor, { idempotent: true });
    expect(executor.limits).toMatchObject({
      maxPayloadBytes: 50,
      maxResultBytes: 2000,
      maxArtifactBytes: 1000,
      memoryMb: { min: 256, max: 10_240, step: 64 },
      timeoutSecs: { min: 1, max: 60 },
      maxConcurrency: before.maxConcurrency,
    });
    expect(executor.limits.source).toContain('GET /api');
  });

  it('are checked before anything is sent: an input, a deploy', async () => {
    const made = await staged({}, { maxArgsBytes: 10 });
    await learn(made);
    const error = await failureOf(call(made.executor, { args: new Uint8Array(11) }));
    expect([error.code, error.executed]).toEqual(['PAYLOAD_TOO_LARGE', 'no']);
    expect(made.lines()).toEqual([]);
    const strict = await staged();
    const limits = { memory_mb: { min: 128, max: 256, step: 64 } };
    strict.scriptAbout({ respond: { status: 200, body: { spec: '1.1', limits, features: [] } } });
    expect((await failureOf(strict.executor.deployJob(7, zip(), { memoryMb: 512 }))).message).toContain(
      'memoryMb',
    );
    expect(strict.lines()).toEqual(['GET /api']);
  });
});
