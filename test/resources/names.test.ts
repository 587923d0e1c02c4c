/** Names and namespaces that are handed on: what has a name is the same function, whatever key it stands under. */
import { describe, expect, it } from 'vitest';
import {
  apply,
  type Declarations,
  type FunctionDeclaration,
  plan,
  refresh,
} from '../../src/resources/index.js';
import { Cut, World } from './world.js';

const one: FunctionDeclaration = { runtime: 'node20', code_inline: 'one' };
const two: FunctionDeclaration = { runtime: 'node20', code_inline: 'two' };
const file = (functions: Record<string, FunctionDeclaration>): Declarations => ({ functions });
const codeOf = (world: World) =>
  Object.fromEntries([...world.functions.values()].map(({ name, codeSha256 }) => [name, codeSha256]));

describe('names that are handed on', () => {
  it('are swapped in place, in one apply', async () => {
    const world = new World();
    await world.run(file({ aaa: { ...one, name: 'left' }, bbb: { ...two, name: 'right' } }));
    world.writes.length = 0;
    const swapped = file({ aaa: { ...one, name: 'right' }, bbb: { ...two, name: 'left' } });
    expect((await world.run(swapped)).failed).toEqual([]);
    expect(codeOf(world)).toEqual({ right: 'sha-of-one', left: 'sha-of-two' });
    expect(world.writes.sort()).toEqual(['update left code', 'update right code']);
    expect(await world.isSettled(swapped)).toBe(true);
  });

  it('go to a new function in the apply that gives the old one another', async () => {
    const world = new World();
    await world.run(file({ aaa: { ...one, name: 'greet' } }));
    const next = file({ aaa: { ...one, name: 'greet-old' }, bbb: { ...two, name: 'greet' } });
    expect((await world.run(next)).failed).toEqual([]);
    expect(codeOf(world)).toEqual({ greet: 'sha-of-two', 'greet-old': 'sha-of-one' });
    expect(await world.isSettled(next)).toBe(true);
  });

  it('go round when each takes the next one’s and the last is dropped', async () => {
    const world = new World();
    await world.run(file({ aaa: one, bbb: two }));
    const next = file({ aaa: { ...one, name: 'bbb' } });
    expect((await world.run(next)).failed).toEqual([]);
    expect(codeOf(world)).toEqual({ bbb: 'sha-of-one' });
    expect(await world.isSettled(next)).toBe(true);
  });
});

describe('a function in a namespace that its file names no more', () => {
  it('is made anew in its own namespace', async () => {
    const world = new World();
    await world.run(file({ resize: { ...one, namespace: 'north' } }));
    expect((await world.run(file({ resize: { ...one, runtime: 'node18' } }))).failed).toEqual([]);
    expect([...world.functions.values()]).toMatchObject([{ runtime: 'node18', namespace: 'north' }]);
  });

  it('stays when someone else has the new name there', async () => {
    const world = new World();
    await world.run(file({ resize: { ...one, namespace: 'north' } }));
    const theirs = world.makeByHand('crop');
    const found = world.functions.get(theirs);
    if (found !== undefined) world.functions.set(theirs, { ...found, namespace: 'north' });
    world.writes.length = 0;
    const { failed } = await world.run(file({ resize: { ...one, name: 'crop' } }));
    expect(String(failed[0]?.error)).toContain('is not managed here');
    expect(world.writes).toEqual([]);
  });
});

describe('an update that is cut off', () => {
  it.each([2, 3, 4, 5])(
    'at write %i is sent whole by the next run, also when the file is as before',
    async (cutIn) => {
      const world = new World();
      const before = file({ resize: { ...one, environment: { A: '1' } } });
      await world.run(before);
      world.cutIn = cutIn;
      await expect(world.run(file({ resize: { ...one, environment: { A: '2' } } }))).rejects.toThrow(Cut);
      world.cutIn = Number.POSITIVE_INFINITY;
      world.writes.length = 0;
      expect((await world.run(before)).failed).toEqual([]);
      expect(world.writes).toEqual(
        ['code', 'config', 'environment', 'metadata'].map((group) => `update resize ${group}`),
      );
      expect(await world.isSettled(before)).toBe(true);
    },
  );
});

describe('an update after which a function does not run', () => {
  it('is sent again, with its code, until the function runs', async () => {
    const world = new World();
    await world.run(file({ resize: one }));
    world.broken.add('resize');
    expect((await world.run(file({ resize: two }))).failed).toHaveLength(1);
    expect(world.state.resources.get('function.resize')).toMatchObject({ status: 'unfinished' });
    world.writes.length = 0;
    const again = await world.run(file({ resize: two }));
    expect(again.plan.actions).toMatchObject([
      {
        kind: 'update',
        groups: ['code'],
        reasons: ['its last update broke off, or did not bring it to run'],
      },
    ]);
    expect(again.failed).toHaveLength(1);
    expect(world.writes).toEqual(['update resize code']);
    world.broken.clear();
    expect((await world.run(file({ resize: two }))).failed).toEqual([]);
    expect(await world.isSettled(file({ resize: two }))).toBe(true);
  });
});

it('a job id means nothing to a provider that knows functions by names', async () => {
  const world = new World();
  await world.run(file({ resize: { ...one, job_id: 7 } }));
  world.writes.length = 0;
  expect((await world.run(file({ resize: { ...one, job_id: 8 } }))).failed).toEqual([]);
  expect(world.writes).toEqual([]);
});

it('secrets swap their names in one apply, and each keeps its own value', async () => {
  const world = new World();
  const secrets = (left: string, right: string): Declarations => ({
    secrets: { aaa: { name: left, value_env: 'one' }, bbb: { name: right, value_env: 'two' } },
    functions: { user: { ...one, secrets: [left] } },
  });
  await world.run(secrets('left', 'right'));
  expect((await world.run(secrets('right', 'left'))).failed).toEqual([]);
  expect([...world.secrets].sort()).toEqual([
    ['left', 'two'],
    ['right', 'one'],
  ]);
  expect(await world.isSettled(secrets('right', 'left'))).toBe(true);
});

it('a function that was not seen to run, and runs by now, is kept also when nobody refreshed', async () => {
  const world = new World();
  world.broken.add('resize');
  expect((await world.run(file({ resize: one }))).failed).toHaveLength(1);
  world.broken.clear();
  const state = world.state;
  const desired = world.desired(file({ resize: one }));
  const made = plan(state, desired);
  expect(made.actions).toMatchObject([{ kind: 'replace', reasons: ['its create failed'] }]);
  world.writes.length = 0;
  const { failed, state: next } = await apply(made, state, {
    desired,
    codes: new Map(),
    secretValues: new Map(),
    provider: () => world.provider,
    save: async () => {},
    signal: new AbortController().signal,
  });
  expect([failed, world.writes]).toEqual([[], []]);
  expect(next.resources.get('function.resize')?.status).toBeUndefined();
});

it('an update of ours that did not finish is not said to be a change from outside', async () => {
  const world = new World();
  await world.run(file({ resize: one }));
  world.broken.add('resize');
  await world.run(file({ resize: { ...one, config: { memory_mb: 512 } } }));
  const [[id = '', found] = []] = world.functions;
  if (found !== undefined) world.functions.set(id, { ...found, environment: { HALF: 'sent' } });
  const { drifts } = await refresh(world.state, () => world.provider, new AbortController().signal);
  expect(drifts).toEqual([]);
});
