/** Random histories: files come one after the other, runs are cut off anywhere, things are changed and deleted outside. */
import { expect } from 'vitest';
import type { Declarations, FunctionDeclaration } from '../../src/resources/index.js';
import { seededRandom } from '../../src/testing/seeded-random.js';
import { Cut, World } from './world.js';

/** After any history, one undisturbed run brings about what the last file declares, and nothing else. */
export async function history(seed: number): Promise<{ runs: number; cuts: number }> {
  const random = seededRandom(seed);
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;
  const world = new World();
  let declarations: Declarations = {};
  let [runs, cuts] = [0, 0];
  for (let step = 0; step < 8; step += 1) {
    const dice = random();
    if (dice < 0.5) declarations = randomFile(pick, random);
    else if (dice < 0.6 && world.functions.size > 0)
      world.functions.delete(pick([...world.functions.keys()]));
    else if (dice < 0.7 && world.functions.size > 0) {
      const id = pick([...world.functions.keys()]);
      const found = world.functions.get(id);
      if (found !== undefined) world.functions.set(id, { ...found, environment: { BY_HAND: '1' } });
    }
    world.cutIn = random() < 0.6 ? 1 + Math.floor(random() * 14) : Number.POSITIVE_INFINITY;
    runs += 1;
    try {
      await world.run(declarations, 1 + Math.floor(random() * 4));
    } catch (thrown) {
      if (!(thrown instanceof Cut)) throw thrown;
      cuts += 1;
    }
  }
  world.cutIn = Number.POSITIVE_INFINITY;
  const { failed } = await world.run(declarations);
  expect(failed, `seed ${seed}`).toEqual([]);
  expect(await world.isSettled(declarations), `seed ${seed}: settled`).toBe(true);
  const wanted = Object.values(declarations.functions ?? {})
    .map(({ name }) => name)
    .sort();
  expect([...world.functions.values()].map(({ name }) => name).sort(), `seed ${seed}: functions`).toEqual(
    wanted,
  );
  expect([...world.secrets.keys()].sort(), `seed ${seed}: secrets`).toEqual(
    Object.values(declarations.secrets ?? {})
      .map(({ name }) => name)
      .sort(),
  );
  return { runs, cuts };
}

function randomFile(pick: <T>(all: readonly T[]) => T, random: () => number): Declarations {
  // Names change under their addresses, and back.
  const secretNames = ['s-one', 's-two', 's-three'].sort(() => random() - 0.5);
  const named = (key: string) => (random() < 0.6 ? (secretNames.pop() ?? key) : `${key}-own`);
  // Names of functions go from one to another, too.
  const names = ['aaa', 'bbb', 'ccc', 'ddd'].sort(() => random() - 0.5);
  const nameOf = (key: string) => (random() < 0.6 ? (names.pop() ?? key) : `${key}-own`);
  const secrets = ['s-one', 's-two']
    .filter(() => random() < 0.6)
    .map((key) => [key, { name: named(key), value_env: pick(['v', 'w']) }] as const);
  const functions = ['aaa', 'bbb', 'ccc']
    .filter(() => random() < 0.6)
    .map((key): [string, FunctionDeclaration] => [
      key,
      {
        name: nameOf(key),
        runtime: pick(['node20', 'python3.11']),
        code_inline: pick(['one', 'two']),
        config: { memory_mb: pick([128, 256]) },
        environment: random() < 0.5 ? {} : { LEVEL: pick(['1', '2']) },
        secrets: secrets.filter(() => random() < 0.7).map(([, { name }]) => name),
      },
    ]);
  return { functions: Object.fromEntries(functions), secrets: Object.fromEntries(secrets) };
}
