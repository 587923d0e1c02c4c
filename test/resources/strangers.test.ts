/** What someone else has made under a name of ours is neither taken over nor deleted; what has our name twice is ours. */
import { describe, expect, it } from 'vitest';
import type { Declarations } from '../../src/resources/index.js';
import { Cut, World } from './world.js';

const resize = { runtime: 'node20', code_inline: 'one' };
const secret = (name: string): Declarations => ({ secrets: { db: { name, value_env: 'v' } } });

async function runUntilCut(world: World, declarations: Declarations, cutIn: number): Promise<void> {
  world.cutIn = cutIn;
  await world.run(declarations).catch((thrown: unknown) => {
    if (!(thrown instanceof Cut)) throw thrown;
  });
  world.cutIn = Number.POSITIVE_INFINITY;
}

describe('a function of someone else', () => {
  it.each([1, 2, 3, 4, 5, 6])('outlives a create of its name that is cut off at write %i', async (cutIn) => {
    const world = new World();
    const theirs = world.makeByHand('resize');
    await runUntilCut(world, { functions: { resize } }, cutIn);
    const { failed } = await world.run({ functions: { resize } });
    expect(String(failed[0]?.error)).toContain('jobferry import FILE function.resize resize');
    expect(String(failed[0]?.error)).toContain('in the namespace default that is not managed here');
    await world.run({});
    expect([...world.functions.keys()]).toEqual([theirs]);
  });

  it.each([1, 2, 3, 4, 5, 6])(
    'is not taken for ours when ours changes its name after write %i',
    async (cutIn) => {
      const world = new World();
      await runUntilCut(world, { functions: { resize } }, cutIn);
      const theirs = world.makeByHand('crop');
      const { failed } = await world.run({ functions: { resize: { ...resize, name: 'crop' } } });
      expect(String(failed[0]?.error)).toContain('is not managed here');
      await world.run({});
      expect([...world.functions.keys()]).toEqual([theirs]);
    },
  );
});

it('a function of ours stays when another has the name it shall get', async () => {
  const world = new World();
  await world.run({ functions: { resize } });
  world.makeByHand('crop');
  await world.run({ functions: { resize: { ...resize, name: 'crop' } } });
  expect([...world.functions.values()].map(({ name }) => name)).toEqual(['resize', 'crop']);
});

describe('a secret of someone else', () => {
  it('keeps its value: import says how it is managed here', async () => {
    const world = new World();
    world.secrets.set('db-key', 'theirs');
    const { failed } = await world.run(secret('db-key'));
    expect(String(failed[0]?.error)).toContain('jobferry import FILE secret.db db-key');
    await world.run({});
    expect([...world.secrets]).toEqual([['db-key', 'theirs']]);
  });
});

describe('a secret of ours', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'can be renamed, cut off at write %i, and named as before',
    async (cutIn) => {
      const world = new World();
      await world.run(secret('one'));
      await runUntilCut(world, secret('two'), cutIn);
      await world.run(secret('one'));
      expect([...world.secrets.keys()]).toEqual(['one']);
      expect(await world.isSettled(secret('one'))).toBe(true);
    },
  );

  it.each([1, 2, 3, 4])(
    'leaves nothing behind when its first create is cut off at write %i and it is renamed',
    async (cutIn) => {
      const world = new World();
      await runUntilCut(world, secret('one'), cutIn);
      await world.run(secret('two'));
      expect([...world.secrets.keys()]).toEqual(['two']);
      expect(await world.isSettled(secret('two'))).toBe(true);
    },
  );
});
