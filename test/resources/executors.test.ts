/** Functions on executors, which know them by job ids: what fails half-way, what changes its name, what is imported. */
import { beforeEach, describe, expect, it } from 'vitest';
import { FaasError } from '../../src/core/errors.js';
import type { Deployment, FaasExecutor } from '../../src/core/executor.js';
import {
  apply,
  type Code,
  type Declarations,
  emptyState,
  type FunctionDeclaration,
  importResource,
  jobIdOf,
  lifecycleProvider,
  plan,
  refresh,
  resolveDeclarations,
  type State,
  withMoves,
} from '../../src/resources/index.js';

/** Job id -> what is deployed there. */
class Cloud {
  readonly jobs = new Map<number, Deployment>();
  readonly calls: string[] = [];
  /** Stands in for one deploy. */
  nextDeploy: ((jobId: number) => Promise<void>) | undefined;

  put(jobId: number, sha256: string, timeoutSecs?: number): void {
    const functionName = `job${jobId}`;
    const endpoint = `https://cloud/${functionName}`;
    const fields = { memoryMb: 128, ...(timeoutSecs !== undefined && { timeoutSecs }) };
    this.jobs.set(jobId, { jobId, functionName, provider: 'cloud', endpoint, sha256, ...fields });
  }

  readonly executor = {
    provider: 'cloud',
    limits: { asOf: '2026-01-01', source: 'test' },
    deployJob: async (jobId, { sha256 }, config = {}) => {
      this.calls.push(`deploy ${jobId}`);
      const instead = this.nextDeploy;
      this.nextDeploy = undefined;
      if (instead !== undefined) await instead(jobId);
      this.put(jobId, sha256, config.timeoutSecs);
      return this.jobs.get(jobId) as Deployment;
    },
    getDeployment: async (jobId, signal) => {
      if (signal?.aborted === true) {
        throw new FaasError({ code: 'CANCELLED', executed: 'no', message: 'stopped' });
      }
      return this.jobs.get(jobId);
    },
    healthCheck: async () => ({ status: 'healthy' }),
    undeployJob: async (jobId) => {
      this.calls.push(`undeploy ${jobId}`);
      this.jobs.delete(jobId);
    },
  } satisfies Partial<FaasExecutor> as unknown as FaasExecutor;
}

const base: FunctionDeclaration = { runtime: 'node', code_inline: 'one' };
const idOf = (name: string) => jobIdOf({ name, namespace: undefined, job_id: undefined });
const artifact = (sha256: string) => ({ format: 'zip' as const, bytes: new Uint8Array(0), sha256 });

let cloud: Cloud;
let state: State;
beforeEach(() => {
  cloud = new Cloud();
  state = emptyState();
});
const provider = () =>
  lifecycleProvider({
    name: 'cloud',
    executor: cloud.executor,
    pack: async (_desired, { sha256 }) => artifact(sha256),
  });

function desiredOf(functions: Record<string, FunctionDeclaration>) {
  const codes = new Map<`function.${string}`, Code>(
    Object.entries(functions).map(([key, { code_inline: inline = '' }]) => [
      `function.${key}`,
      { sha256: `sha-${inline}`, inline, zip: async () => new Uint8Array(0) },
    ]),
  );
  const declarations: Declarations = { provider: 'cloud', functions };
  const codeSha256 = new Map([...codes].map(([address, { sha256 }]) => [address, sha256]));
  const inputs = { codeSha256, secretValues: new Map(), secretKey: state.secret_key };
  return { codes, desired: resolveDeclarations(declarations, inputs) };
}

async function planOf(functions: Record<string, FunctionDeclaration>) {
  const { state: seen } = await refresh(state, provider, new AbortController().signal);
  const { codes, desired } = desiredOf(functions);
  const moved = withMoves(seen, desired);
  return { codes, desired, moved, made: plan(moved, desired) };
}

async function run(functions: Record<string, FunctionDeclaration>, signal = new AbortController().signal) {
  const { codes, desired, moved, made } = await planOf(functions);
  state = moved;
  const { failed } = await apply(made, moved, {
    desired,
    codes,
    secretValues: new Map(),
    provider,
    save: async (next) => {
      state = next;
    },
    signal,
    waits: { pollFirstMs: 1, pollMostMs: 2, timeoutMs: 1000 },
  });
  return failed.map(({ error }) => String(error));
}

async function kinds(functions: Record<string, FunctionDeclaration>) {
  return (await planOf(functions)).made.actions.map(({ key, kind }) => `${kind} ${key}`);
}

const failure = (code: 'CANCELLED' | 'UNAVAILABLE' | 'CONFLICT' | 'CONFIG') =>
  new FaasError({ code, executed: 'no', message: `${code} while it waits` });

describe('a create on an executor', () => {
  it('that is stopped during the wait stays known, and the next apply finishes it', async () => {
    const stop = new AbortController();
    cloud.nextDeploy = async (jobId) => {
      cloud.put(jobId, 'sha-one');
      stop.abort();
      throw failure('CANCELLED');
    };
    await run({ greet: base }, stop.signal);
    expect(state.resources.get('function.greet')).toMatchObject({
      attributes: { id: String(idOf('greet')) },
    });
    expect(await run({ greet: base })).toEqual([]);
    expect(await kinds({ greet: base })).toEqual(['no-op function.greet']);
  });

  it.each(['UNAVAILABLE', 'CONFLICT'] as const)(
    'that fails with %s half-way is destroyed by destroy',
    async (code) => {
      cloud.nextDeploy = async (jobId) => {
        cloud.put(jobId, 'sha-one');
        throw failure(code);
      };
      expect(await run({ greet: base })).toHaveLength(1);
      expect(await run({})).toEqual([]);
      expect([cloud.jobs.size, state.resources.size]).toEqual([0, 0]);
    },
  );

  it('that leaves nothing behind is forgotten', async () => {
    cloud.nextDeploy = () => Promise.reject(failure('CONFIG'));
    expect(await run({ greet: base })).toHaveLength(1);
    expect(state.resources.size).toBe(0);
  });

  it('does not take what someone else has deployed', async () => {
    cloud.put(7, 'theirs');
    const [said] = await run({ greet: { ...base, job_id: 7 } });
    expect(said).toContain('not managed here');
    expect(await run({})).toEqual([]);
    expect(cloud.jobs.get(7)?.sha256).toBe('theirs');
  });
});

describe('what was imported by its job id', () => {
  const imported = async (id: string, functions: Record<string, FunctionDeclaration>, key = 'greet') => {
    const { desired } = desiredOf(functions);
    const wanted = desired.find(({ address }) => address === `function.${key}`);
    if (wanted === undefined) throw new Error(`nothing is declared under ${key}`);
    state = await importResource(state, wanted, id, provider(), desired, new AbortController().signal);
  };

  it('is what an update changes, and what is made anew', async () => {
    cloud.put(9, 'sha-old');
    await imported('9', { greet: base });
    expect(await run({ greet: base })).toEqual([]);
    expect([...cloud.jobs]).toMatchObject([[9, { sha256: 'sha-one' }]]);
    expect(await run({ greet: { ...base, code_inline: 'two' } })).toEqual([]);
    expect([...cloud.jobs]).toMatchObject([[9, { sha256: 'sha-two' }]]);
  });

  it('is not imported again under another address', async () => {
    await run({ greet: { ...base, job_id: 7 } });
    await expect(imported('7', { greet: { ...base, job_id: 7 }, other: base }, 'other')).rejects.toThrow(
      /managed already, as function\.greet.*jobferry forget FILE function\.greet/,
    );
    await expect(imported('7', { greet: { ...base, job_id: 7 } })).rejects.toThrow(/jobferry forget FILE/);
    expect(state.resources.size).toBe(1);
  });
});

describe('the job id is the function', () => {
  it('so another name changes nothing there', async () => {
    await run({ greet: { ...base, job_id: 7 } });
    cloud.calls.length = 0;
    expect(await run({ greet: { ...base, name: 'welcome', job_id: 7 } })).toEqual([]);
    expect(cloud.calls).toEqual([]);
    expect(await run({ welcome: { ...base, job_id: 7 } })).toEqual([]);
    expect(cloud.calls).toEqual([]);
    expect([...state.resources.keys()]).toEqual(['function.welcome']);
  });

  it('so two that swap theirs, or their names, swap their code', async () => {
    const [one, two] = [base, { ...base, code_inline: 'two' }];
    await run({ one: { ...one, job_id: 1 }, two: { ...two, job_id: 2 } });
    expect(await run({ one: { ...one, job_id: 2 }, two: { ...two, job_id: 1 } })).toEqual([]);
    expect([cloud.jobs.get(1)?.sha256, cloud.jobs.get(2)?.sha256]).toEqual(['sha-two', 'sha-one']);
    expect(await kinds({ one: { ...one, job_id: 2 }, two: { ...two, job_id: 1 } })).toEqual([
      'no-op function.one',
      'no-op function.two',
    ]);
    await run({});
    const named = (a: string, b: string) => ({ aaa: { ...one, name: a }, bbb: { ...two, name: b } });
    await run(named('left', 'right'));
    expect(await run(named('right', 'left'))).toEqual([]);
    expect(cloud.jobs.get(idOf('right'))?.sha256).toBe('sha-one');
    expect(await kinds(named('right', 'left'))).toEqual(['no-op function.aaa', 'no-op function.bbb']);
  });

  it('so a new function takes over the job id that another gives up, in one apply', async () => {
    await run({ old: { ...base, job_id: 7 } });
    expect(await run({ old: base, fresh: { ...base, code_inline: 'two', job_id: 7 } })).toEqual([]);
    expect(cloud.jobs.get(7)?.sha256).toBe('sha-two');
    expect(cloud.jobs.get(idOf('old'))?.sha256).toBe('sha-one');
    expect(cloud.calls.filter((call) => call.startsWith('undeploy'))).toEqual([]);
  });
});

describe('what means nothing to an executor', () => {
  it.each([
    [{ runtime: 'node20' }, /node20 asks for one: use the runtime node/],
    [{ runtime: 'python3.11' }, /not the runtime python3\.11/],
    [{ template: 'node' }, /no template node: leave template out/],
    [{ handler_function: 'main' }, /leave handler_function out/],
  ])('is refused by name: %j', (change, said) => {
    const [wanted] = desiredOf({ greet: { ...base, ...change } }).desired;
    if (wanted?.type !== 'function') throw new Error('nothing is declared');
    expect(provider().cannotRun(wanted)).toEqual([expect.stringMatching(said)]);
  });

  it('makes nothing anew: a state of before with a version of Node.js is deployed again in place', async () => {
    await run({ greet: { ...base, runtime: 'node20' } });
    expect(await kinds({ greet: base })).toEqual(['update function.greet']);
    cloud.calls.length = 0;
    expect(await run({ greet: base })).toEqual([]);
    expect(cloud.calls).toEqual([`deploy ${idOf('greet')}`]);
    expect(await kinds({ greet: base })).toEqual(['no-op function.greet']);
  });
});

it('code that was deployed over a managed function is a change, and is put right', async () => {
  await run({ greet: base });
  cloud.put(idOf('greet'), 'sha-by-hand');
  expect(await kinds({ greet: base })).toEqual(['update function.greet']);
  expect(await run({ greet: base })).toEqual([]);
  expect(cloud.jobs.get(idOf('greet'))?.sha256).toBe('sha-one');
});
