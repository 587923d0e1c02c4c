import { describe, expect, it } from 'vitest';
import { packageFiles } from '../../src/packaging/zip.js';
import {
  type Address,
  apply,
  type Declarations,
  e2ePlatformProvider,
  emptyState,
  hasChanges,
  importResource,
  plan,
  type ResourceProvider,
  readCodes,
  refresh,
  resolveDeclarations,
  type State,
} from '../../src/resources/index.js';
import { type FakeE2e, fakeE2e } from '../fakes/e2e-platform.js';

const file = (change: object = {}, more: Declarations = {}): Declarations => ({
  provider: 'e2e-platform',
  functions: {
    resize: { runtime: 'python3.11', code_inline: 'def handle(event, context): return "ok"', ...change },
  },
  ...more,
});

/** Files applied one after the other, as the CLI does it. */
class Desk {
  state: State = emptyState();
  readonly provider: ResourceProvider;

  constructor(fake: FakeE2e) {
    this.provider = e2ePlatformProvider({ endpoint: fake.url, authToken: 'token-1', apiKey: 'key-1' });
  }

  async desired(declarations: Declarations) {
    const codes = await readCodes(declarations, '/', packageFiles);
    const secretValues = new Map<Address, string>(
      Object.keys(declarations.secrets ?? {}).map((key) => [`secret.${key}`, 'hunter2']),
    );
    const codeSha256 = new Map([...codes].map(([address, { sha256 }]) => [address, sha256]));
    const inputs = { codeSha256, secretValues, secretKey: this.state.secret_key };
    return { codes, secretValues, desired: resolveDeclarations(declarations, inputs) };
  }

  async apply(declarations: Declarations, signal = new AbortController().signal) {
    const read = await this.desired(declarations);
    const { state } = await refresh(this.state, () => this.provider, signal);
    const result = await apply(plan(state, read.desired), state, {
      ...read,
      provider: () => this.provider,
      save: async (next) => {
        this.state = next;
      },
      signal,
      waits: { pollFirstMs: 1, pollMostMs: 5, timeoutMs: 5000 },
      outputs: { url: 'function.resize.invoke_url' },
    });
    return result;
  }

  async isSettled(declarations: Declarations): Promise<boolean> {
    const { state } = await refresh(this.state, () => this.provider, new AbortController().signal);
    return !hasChanges(plan(state, (await this.desired(declarations)).desired));
  }
}

describe('declared functions on the API of E2E’s design documents', () => {
  it('are created with every field, waited for, and known with what the API adds', async () => {
    await using fake = await fakeE2e();
    const desk = new Desk(fake);
    const declarations = file({
      handler_function: 'handle',
      requirements: 'requests==2.32.0',
      config: { memory_mb: 256, timeout_seconds: 60, replicas: 2 },
      environment: { LEVEL: '9' },
      labels: { team: 'north' },
    });
    const { failed, state } = await desk.apply(declarations);
    expect(failed).toEqual([]);
    const created = fake.requests.find(({ operation }) => operation === 'POST /functions');
    expect(created).toMatchObject({
      auth: 'Bearer token-1',
      body: {
        name: 'resize',
        runtime: 'python3.11',
        template: 'http',
        handler_function: 'handle',
        requirements: 'requests==2.32.0',
        config: { memory_mb: 256, timeout_seconds: 60, replicas: 2, hardware_type: 'cpu' },
        environment: { LEVEL: '9' },
        secrets: [],
        labels: { team: 'north' },
      },
    });
    const archive = Buffer.from(String(created?.body['code_archive']), 'base64');
    expect(archive.subarray(0, 2).toString()).toBe('PK');
    expect(state.resources.get('function.resize')?.attributes).toMatchObject({
      status: 'running',
      namespace: 'e2e-faas-1-dl',
      version: 'v1.0.0',
      invoke_url: 'https://api.example/faas/function/v1/resize.e2e-faas-1-dl/',
    });
    expect(state.outputs['url']?.value).toContain('resize.e2e-faas-1-dl');
    expect(await desk.isSettled(declarations)).toBe(true);
  });

  it('are updated by one PUT a changed group', async () => {
    await using fake = await fakeE2e();
    const desk = new Desk(fake);
    await desk.apply(file());
    fake.requests.length = 0;
    await desk.apply(
      file({ code_inline: 'def handle(e, c): return 2', config: { memory_mb: 512 }, labels: { a: 'b' } }),
    );
    expect(fake.operations().filter((operation) => operation.startsWith('PUT'))).toEqual([
      'PUT /functions/{id}/code',
      'PUT /functions/{id}/config',
      'PUT /functions/{id}/metadata',
    ]);
  });

  it('that fail say why, stay known as tainted, and are made anew unless they run by then', async () => {
    await using fake = await fakeE2e();
    const desk = new Desk(fake);
    fake.broken.set('resize', 'ModuleNotFoundError: requests');
    const { failed, state } = await desk.apply(file());
    expect(String(failed[0]?.error)).toContain('ModuleNotFoundError: requests');
    expect(state.resources.get('function.resize')).toMatchObject({ status: 'tainted' });
    await desk.apply(file());
    expect(fake.operations()).toContain('DELETE /functions/{id}');
    fake.requests.length = 0;
    fake.broken.clear();
    await desk.apply(file());
    expect(fake.operations().filter((operation) => !operation.startsWith('GET'))).toEqual([]);
    expect(desk.state.resources.get('function.resize')?.status).toBeUndefined();
    expect(await desk.isSettled(file())).toBe(true);
    expect(fake.functions.size).toBe(1);
  });

  it('whose create got no answer are not made twice', async () => {
    await using fake = await fakeE2e();
    const desk = new Desk(fake);
    fake.faults.push({ operation: 'POST /functions', reset: 'after' });
    const { failed, state } = await desk.apply(file());
    expect(failed).toHaveLength(1);
    expect(state.resources.get('function.resize')).toMatchObject({ status: 'creating' });
    await desk.apply(file());
    expect(fake.functions.size).toBe(1);
    expect(await desk.isSettled(file())).toBe(true);
  });

  it('of which one update breaks off keep what was sent, and send the rest next time', async () => {
    await using fake = await fakeE2e();
    const desk = new Desk(fake);
    await desk.apply(file());
    fake.faults.push({ operation: 'PUT /functions/{id}/environment', status: 422 });
    const next = file({ config: { memory_mb: 512 }, environment: { A: '1' } });
    expect((await desk.apply(next)).failed).toHaveLength(1);
    fake.requests.length = 0;
    await desk.apply(next);
    expect(fake.operations().filter((operation) => operation.startsWith('PUT'))).toEqual([
      'PUT /functions/{id}/environment',
    ]);
    expect(await desk.isSettled(next)).toBe(true);
  });

  it('that someone else has made are not taken over: import says how', async () => {
    await using fake = await fakeE2e();
    await new Desk(fake).apply(file());
    const other = new Desk(fake);
    const { failed, state } = await other.apply(file());
    expect(String(failed[0]?.error)).toContain('jobferry import FILE function.resize resize');
    expect(state.resources.size).toBe(0);
    for (const id of ['resize.e2e-faas-1-dl', [...fake.functions.keys()][0] ?? '']) {
      const { desired } = await other.desired(file());
      const wanted = desired[0];
      if (wanted === undefined) throw new Error('nothing is declared');
      const signal = new AbortController().signal;
      const imported = await importResource(emptyState(), wanted, id, other.provider, desired, signal);
      expect(hasChanges(plan(imported, (await other.desired(file())).desired))).toBe(false);
    }
  });

  it('are deleted, and gone when it says so; what was deleted by hand is made anew', async () => {
    await using fake = await fakeE2e();
    const desk = new Desk(fake);
    await desk.apply(file());
    fake.functions.clear();
    const { drifts } = await refresh(desk.state, () => desk.provider, new AbortController().signal);
    expect(drifts).toMatchObject([{ address: 'function.resize', kind: 'gone' }]);
    await desk.apply(file());
    expect(fake.functions.size).toBe(1);
    await desk.apply({ provider: 'e2e-platform' });
    expect([fake.functions.size, desk.state.resources.size]).toEqual([0, 0]);
  });

  it('know a change of code by the API’s own hash, which need not be ours', async () => {
    await using fake = await fakeE2e();
    fake.hashesArchives = true;
    const desk = new Desk(fake);
    await desk.apply(file());
    expect(await desk.isSettled(file())).toBe(true);
    await desk.apply(file({ code_inline: 'def handle(e, c): return 2' }));
    expect(await desk.isSettled(file({ code_inline: 'def handle(e, c): return 2' }))).toBe(true);
    const [[id, found] = []] = fake.functions;
    fake.functions.set(String(id), { ...found, code_sha256: 'other' });
    const { drifts } = await refresh(desk.state, () => desk.provider, new AbortController().signal);
    expect(drifts).toMatchObject([{ kind: 'changed', changes: [{ path: 'code_sha256', after: 'other' }] }]);
    expect(await desk.isSettled(file({ code_inline: 'def handle(e, c): return 2' }))).toBe(false);
  });

  it('that were deployed outside are drift by their version, which no plan follows', async () => {
    await using fake = await fakeE2e();
    const desk = new Desk(fake);
    await desk.apply(file());
    const [[id, found] = []] = fake.functions;
    fake.functions.set(String(id), { ...found, version: 'v1.0.1' });
    const { drifts } = await refresh(desk.state, () => desk.provider, new AbortController().signal);
    expect(drifts).toMatchObject([
      {
        kind: 'changed',
        changes: [],
        message: expect.stringContaining('its version is v1.0.1, and was v1.0.0'),
      },
    ]);
    expect(await desk.isSettled(file())).toBe(true);
  });

  it('of one name in two namespaces are told apart by `namespace`, or not touched', async () => {
    await using fake = await fakeE2e();
    const desk = new Desk(fake);
    for (const namespace of ['north', 'south']) {
      fake.functions.set(namespace, { id: namespace, name: 'resize', namespace, reads: 0 });
    }
    const signal = new AbortController().signal;
    const find = (namespace?: string) =>
      desk.provider.find({ name: 'resize', namespace, job_id: undefined }, signal);
    expect((await find('south'))?.id).toBe('south');
    await expect(find()).rejects.toThrow(/resize in north and south\. Add its `namespace`/);
  });

  it('that run no more are drift as long as they do not, which no plan can mend', async () => {
    await using fake = await fakeE2e();
    const desk = new Desk(fake);
    await desk.apply(file());
    fake.broken.set('resize', 'out of memory');
    const look = (state: State) => refresh(state, () => desk.provider, new AbortController().signal);
    const first = await look(desk.state);
    expect(first.drifts).toMatchObject([{ kind: 'failed', message: expect.stringContaining('is failed') }]);
    expect((await look(first.state)).drifts).toMatchObject([{ kind: 'failed' }]);
  });

  it('use secrets whose values go to the API and nowhere else', async () => {
    await using fake = await fakeE2e();
    const desk = new Desk(fake);
    const declarations = file(
      { secrets: ['db-password'] },
      { secrets: { 'db-password': { value_env: 'DB' } } },
    );
    const { failed } = await desk.apply(declarations);
    expect(failed).toEqual([]);
    expect(fake.secrets.get('db-password')).toBe('hunter2');
    expect(JSON.stringify([...desk.state.resources])).not.toContain('hunter2');
    await desk.apply({ provider: 'e2e-platform' });
    expect([fake.functions.size, fake.secrets.size]).toEqual([0, 0]);
  });

  it.each([
    [
      'no key in any error',
      { operation: 'POST /functions', status: 401, body: '{"error":"bad credentials"}' },
      'bad credentials',
    ],
    [
      'the server’s own words',
      { operation: 'POST /functions', status: 422, body: '{"error":"memory_mb is too small"}' },
      'memory_mb is too small',
    ],
    [
      'a page of a gateway',
      { operation: 'POST /functions', status: 502, body: '<html>bad gateway</html>' },
      'bad gateway',
    ],
  ])('fail with %s', async (_, fault, said) => {
    await using fake = await fakeE2e();
    const desk = new Desk(fake);
    fake.faults.push(fault);
    const { failed } = await desk.apply(file());
    expect(String(failed[0]?.error)).toContain(said);
    expect(String(failed[0]?.error)).not.toMatch(/token-1|key-1/);
  });

  it('can be stopped in the middle, and finished later', async () => {
    await using fake = await fakeE2e();
    fake.settleReads = 1_000_000;
    const desk = new Desk(fake);
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 50);
    const { failed, state } = await desk.apply(file(), stop.signal);
    expect(failed).toHaveLength(1);
    expect(state.resources.get('function.resize')).toMatchObject({ status: 'tainted' });
    fake.settleReads = 0;
    await desk.apply(file());
    expect(await desk.isSettled(file())).toBe(true);
    expect(fake.functions.size).toBe(1);
  });

  it('tell the runtimes that are there', async () => {
    await using fake = await fakeE2e();
    const runtimes = await new Desk(fake).provider.runtimes?.(new AbortController().signal);
    expect(runtimes).toMatchObject([
      { name: 'python3.11', title: 'Python 3.11', templates: ['http'], hardware: ['cpu'] },
    ]);
  });
});
