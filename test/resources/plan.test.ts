import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Declarations,
  emptyState,
  type FunctionDeclaration,
  hasChanges,
  plan,
  stateFromJson,
  stateToJson,
} from '../../src/resources/index.js';
import { World } from './world.js';

const base: FunctionDeclaration = { runtime: 'node20', code_inline: 'one' };
const file = (change: Partial<FunctionDeclaration> = {}, more: Declarations = {}): Declarations => ({
  functions: { resize: { ...base, ...change } },
  ...more,
});

/** What a plan does to `resize` after `before` was applied and the file became `after`. */
async function planned(before: Declarations, after: Declarations) {
  const world = new World();
  await world.run(before);
  const { actions } = await world.planned(after);
  return actions.find(({ key }) => key === 'function.resize');
}

describe('the operations of E2E’s design documents', () => {
  it.each([
    ['code', { code_inline: 'two' }],
    ['code', { handler_function: 'main' }],
    ['code', { requirements: 'requests' }],
    ['config', { config: { memory_mb: 256 } }],
    ['config', { config: { timeout_seconds: 60 } }],
    ['config', { config: { replicas: 2 } }],
    ['config', { config: { min_scale: 0, max_scale: 3 } }],
    ['environment', { environment: { LEVEL: '9' } }],
    ['environment', { secrets: ['db-password'] }],
    ['metadata', { labels: { team: 'north' } }],
    ['metadata', { annotations: { note: 'x' } }],
  ] satisfies [string, Partial<FunctionDeclaration>][])(
    'update in place by /%s: %j',
    async (group, change) => {
      const action = await planned(file(), file(change));
      expect(action).toMatchObject({ kind: 'update', groups: [group] });
    },
  );

  it.each([
    ['runtime', { runtime: 'node18' }],
    ['template', { template: 'node' }],
    ['name', { name: 'resizer' }],
    ['namespace', { namespace: 'other' }],
  ] satisfies [string, Partial<FunctionDeclaration>][])(
    'another %s is another function',
    async (path, change) => {
      const action = await planned(file(), file(change));
      expect(action).toMatchObject({ kind: 'replace', reasons: [`${path} cannot be changed`] });
    },
  );

  it('other hardware is another function, though it stands in config', async () => {
    const gpu = { runtime: 'pytorch2.1.2', code_inline: 'x' };
    const action = await planned(file(gpu), file({ ...gpu, config: { hardware_type: 'gpu' } }));
    expect(action).toMatchObject({ kind: 'replace', reasons: ['config.hardware_type cannot be changed'] });
  });

  it('creates what is new, deletes what is declared no more, and leaves the rest alone', async () => {
    const world = new World();
    await world.run(file());
    const { actions } = await world.planned({ functions: { resize: base, crop: base } });
    expect(actions.map(({ key, kind }) => [key, kind])).toEqual([
      ['function.crop', 'create'],
      ['function.resize', 'no-op'],
    ]);
    expect((await world.planned({})).actions).toMatchObject([{ key: 'function.resize', kind: 'delete' }]);
  });

  it('sends several groups in the order code, config, environment, metadata', async () => {
    const action = await planned(
      file(),
      file({ labels: { a: 'b' }, environment: { C: 'd' }, config: { memory_mb: 512 }, code_inline: 'two' }),
    );
    expect(action?.groups).toEqual(['code', 'config', 'environment', 'metadata']);
  });

  it('a failed create is replaced, and says why', async () => {
    const world = new World();
    world.broken.add('resize');
    const { failed } = await world.run(file());
    expect(String(failed[0]?.error)).toContain('no such handler');
    const { actions } = await world.planned(file());
    expect(actions).toMatchObject([{ kind: 'replace', reasons: ['its create failed'] }]);
  });

  it('takes a secret to its functions first, and away last', async () => {
    const withSecret = file({ secrets: ['key'] }, { secrets: { key: { value_env: 'v' } } });
    const world = new World();
    await world.run(withSecret);
    expect(world.writes).toEqual(['secret key', 'create resize']);
    await world.run(file());
    expect(world.writes.slice(2)).toEqual(['update resize environment', 'unsecret key']);
  });

  it('renames a secret: the new one, then its functions, then the old one goes', async () => {
    const of = (name: string) => file({ secrets: [name] }, { secrets: { db: { name, value_env: 'v' } } });
    const world = new World();
    await world.run(of('old-key'));
    world.writes.length = 0;
    await world.run(of('new-key'));
    expect(world.writes).toEqual(['secret new-key', 'update resize environment', 'unsecret old-key']);
    expect(await world.isSettled(of('new-key'))).toBe(true);
  });

  it('knows what has another key in the file by its name: nothing is made anew', async () => {
    const of = (key: string): Declarations => ({
      functions: { [key]: { ...base, name: 'resize', secrets: ['db-key'] } },
      secrets: { [key]: { name: 'db-key', value_env: 'v' } },
    });
    const world = new World();
    await world.run(of('before'));
    world.writes.length = 0;
    await world.run(of('after'));
    expect(world.writes).toEqual([]);
    await world.run({});
    expect([world.functions.size, world.secrets.size]).toEqual([0, 0]);
  });

  it('sends a new value of a secret, and shows it to nobody', async () => {
    const of = (value: string) => ({ secrets: { key: { value_env: value } } });
    const world = new World();
    await world.run(of('hunter2'));
    const { actions } = await world.planned(of('hunter3'));
    expect(actions).toMatchObject([{ kind: 'update', changes: [{ path: 'value', sensitive: true }] }]);
    expect(world.saved + JSON.stringify(actions)).not.toMatch(/hunter[23]/);
  });

  it('plans a part with what it needs, when it is told so', async () => {
    const all = {
      functions: { a12: { ...base, secrets: ['key'] }, b12: base },
      secrets: { key: { value_env: 'v' }, other: { value_env: 'v' } },
    };
    const { actions } = plan(emptyState(), new World().desired(all), { targets: ['function.a12'] });
    expect(actions.map(({ key }) => key)).toEqual(['secret.key', 'function.a12']);
  });
});

const names = ['aaa', 'bbb', 'ccc'];
const declaration = fc.record(
  {
    runtime: fc.constantFrom('node20', 'node18', 'python3.11'),
    code_inline: fc.constantFrom('one', 'two'),
    config: fc.record(
      { memory_mb: fc.constantFrom(128, 256), timeout_seconds: fc.constantFrom(30, 60) },
      { requiredKeys: [] },
    ),
    environment: fc.dictionary(fc.constantFrom('A', 'B'), fc.constantFrom('1', '2')),
    secrets: fc.subarray(['s-one', 's-two']),
    labels: fc.dictionary(fc.constantFrom('l', 'm'), fc.constantFrom('1', '2')),
  },
  { requiredKeys: ['runtime', 'code_inline', 'secrets'] },
);
/** Every function finds the secrets that it names. */
const declarationsArbitrary: fc.Arbitrary<Declarations> = fc
  .record({
    functions: fc.dictionary(fc.constantFrom(...names), declaration, { maxKeys: 3 }),
    values: fc.record({ one: fc.constantFrom('v', 'w'), two: fc.constantFrom('v', 'w') }),
  })
  .map(({ functions, values }) => ({
    functions: functions as Record<string, FunctionDeclaration>,
    secrets: { 's-one': { value_env: values.one }, 's-two': { value_env: values.two } },
  }));

describe('a plan', () => {
  it('is empty after it was applied', async () => {
    await fc.assert(
      fc.asyncProperty(declarationsArbitrary, declarationsArbitrary, async (first, second) => {
        const world = new World();
        await world.run(first);
        await world.run(second);
        expect(await world.isSettled(second)).toBe(true);
        const writes = world.writes.length;
        await world.run(second);
        expect(world.writes).toHaveLength(writes);
      }),
      { numRuns: 60 },
    );
  });

  it('changes neither the state nor what is wanted', async () => {
    await fc.assert(
      fc.asyncProperty(declarationsArbitrary, declarationsArbitrary, async (first, second) => {
        const world = new World();
        await world.run(first);
        const state = world.state;
        const desired = world.desired(second, state);
        const before = [stateToJson(state), JSON.stringify(desired)];
        plan(state, desired);
        expect([stateToJson(state), JSON.stringify(desired)]).toEqual(before);
      }),
      { numRuns: 60 },
    );
  });

  it('is the same whatever the order of keys and sets', () => {
    fc.assert(
      fc.property(declarationsArbitrary, (declarations) => {
        const turned = reversed(declarations) as Declarations;
        const world = new World();
        const state = world.state;
        const [one, other] = [declarations, turned].map((each) => plan(state, world.desired(each, state)));
        expect(other?.actions.map(({ key, kind, after }) => [key, kind, [...after].sort()])).toEqual(
          one?.actions.map(({ key, kind, after }) => [key, kind, [...after].sort()]),
        );
        expect(hasChanges(plan(state, []))).toBe(false);
      }),
      { numRuns: 100 },
    );
  });

  it('keeps every state as it is written and read', async () => {
    await fc.assert(
      fc.asyncProperty(declarationsArbitrary, async (declarations) => {
        const world = new World();
        await world.run(declarations);
        expect(stateToJson(stateFromJson(world.saved))).toBe(world.saved);
      }),
      { numRuns: 30 },
    );
  });
});

/** The same, with keys and lists the other way round. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed).reverse();
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, one]) => [key, reversed(one)]),
  );
}
