/** Plans: their exit codes, their targets, and what a saved one holds for. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { declared } from './declared.js';

const ONE = `provider: e2e-platform
functions:
  one:
    runtime: python3.11
    code_inline: x
    config: { memory_mb: 128 }
    labels: { a: "1" }
`;

describe('--target', () => {
  it.each(['plan', 'apply', 'destroy'])('of %s is refused for what nobody knows', async (command) => {
    await using world = await declared(ONE);
    const { code, stderr } = await world.run(command, '--target', 'function.nope');
    expect(code).toBe(2);
    expect(stderr).toContain('--target function.nope is not in the file and not in its state');
    expect(stderr).toContain('There is function.one.');
  });

  it('may name what was found gone, and goes with no saved plan', async () => {
    await using world = await declared(ONE);
    await world.run('apply', '--auto-approve');
    world.fake.functions.clear();
    await world.write('f.yaml', 'functions: {}\n');
    expect((await world.run('destroy', '--auto-approve', '--target', 'function.one')).code).toBe(0);
    const { code, stderr } = await world.run('apply', '--plan', 'p', '--target', 'function.one');
    expect(code).toBe(2);
    expect(stderr).toContain('a saved plan has its targets');
  });
});

describe('--detailed-exitcode', () => {
  it.each([
    ['an unknown option', ['plan', '--nope']],
    ['a target that is none', ['plan', '--target', 'nope']],
    ['an unknown target', ['plan', '--target', 'function.nope']],
    ['an unknown option of drift', ['drift', '--nope']],
  ])('makes %s exit with 1, which is no change', async (_, [command = '', ...args]) => {
    await using world = await declared(ONE);
    const { code, json } = await world.run(command, ...args, '--detailed-exitcode', '--json');
    expect(code).toBe(1);
    expect(json()).toMatchObject({ ok: false, exitCode: 1 });
    expect((await world.run(command, ...args)).code).toBe(2);
  });

  it('says in JSON that changes are no error', async () => {
    await using world = await declared(ONE);
    const planned = await world.run('plan', '--detailed-exitcode', '--json');
    expect([planned.code, planned.json()['ok']]).toEqual([2, true]);
    await world.run('apply', '--auto-approve');
    world.fake.functions.clear();
    const drifted = await world.run('drift', '--detailed-exitcode', '--json');
    expect([drifted.code, drifted.json()['ok']]).toEqual([2, true]);
  });
});

describe('a saved plan', () => {
  it('does not undo what was changed outside after it was made', async () => {
    await using world = await declared(ONE);
    await world.run('apply', '--auto-approve');
    await world.write('f.yaml', ONE.replace('a: "1"', 'a: "2"'));
    await world.run('plan', '--out', 'p');
    const [made] = world.fake.functions.values();
    if (made !== undefined) made['config'] = { ...(made['config'] as object), memory_mb: 512 };
    const { code, stderr } = await world.run('apply', '--plan', 'p');
    expect(stderr).toContain('has changed since the plan was saved');
    expect([code, made?.['config']]).toEqual([5, expect.objectContaining({ memory_mb: 512 })]);
  });

  it('of a destroy is done, and only while it is the same destroy', async () => {
    await using world = await declared(ONE);
    await world.run('apply', '--auto-approve');
    const planned = await world.run('plan', '--destroy', '--out', 'p');
    expect(planned.stdout).toContain('function.one will be deleted because everything is to be taken away');
    const { code, stderr } = await world.run('apply', '--plan', 'p');
    expect(code, stderr).toBe(0);
    expect(world.fake.functions.size).toBe(0);
    expect((await world.run('apply', '--plan', 'p')).code).toBe(5);
  });

  it.each([
    '{}',
    '[]',
    'null',
    '{"version":2,"digest":"x","serial":1,"lineage":"y"}',
    '{"version":1,"digest":"x"}',
  ])('that is %s is refused in words', async (text) => {
    await using world = await declared(ONE);
    await world.write('p', text);
    const { code, stderr } = await world.run('apply', '--plan', 'p');
    expect(code).toBe(2);
    expect(stderr).toContain('p is no saved plan of this version');
  });
});

describe('code and secrets that are not here', () => {
  const TEXT = `${ONE}    secrets: [db]
  two: { runtime: python3.11, code_path: code }
  three: { runtime: python3.11, code_archive: code.zip }
secrets:
  db: { value_env: DB }
  key: { value_file: key.txt }
`.replace('code_inline: x', 'code_path: one.py');

  const applied = async () => {
    const world = await declared(TEXT.replace(/ {2}two(.|\n)*(?=secrets:)/, '').replace(/ {2}key: .*\n/, ''));
    await world.write('one.py', 'def handle(): pass');
    world.env['DB'] = 'hunter2';
    expect((await world.run('apply', '--auto-approve')).code).toBe(0);
    await world.write('f.yaml', TEXT);
    await rm(join(world.folder, 'one.py'));
    delete world.env['DB'];
    return world;
  };

  it('are said all at once by who would send them', async () => {
    await using world = await applied();
    for (const command of ['plan', 'apply']) {
      const { code, stderr } = await world.run(command);
      expect(code).toBe(2);
      expect(stderr).toMatch(/f\.yaml:\d+: functions\.one\.code_path cannot be read: ENOENT.*one\.py/);
      expect(stderr).toContain('functions.two.code_path cannot be read');
      expect(stderr).toContain('functions.three.code_archive cannot be read');
      expect(stderr).toContain('secrets.db.value_env names the variable DB, which is not set here');
      expect(stderr).toContain('secrets.key.value_file names the file key.txt, which cannot be read here');
    }
  });

  it('are not needed to look, to import or to take away', async () => {
    await using world = await applied();
    for (const args of [['drift'], ['refresh'], ['plan', '--destroy'], ['import', 'function.one', 'one']]) {
      if (args[0] === 'import') await world.run('forget', 'function.one');
      const { code, stderr } = await world.run(args[0] ?? '', ...args.slice(1));
      expect(code, `${args[0]}: ${stderr}`).toBe(0);
    }
    const { code, stderr } = await world.run('destroy', '--auto-approve');
    expect(code, stderr).toBe(0);
    expect([world.fake.functions.size, world.fake.secrets.size]).toEqual([0, 0]);
  });

  it('nor does a provider have to take what the file says by now, for it to be taken away', async () => {
    await using world = await declared(ONE);
    await world.run('apply', '--auto-approve');
    const now = ONE.replace('provider: e2e-platform', 'provider: custom-http').replace('{ a', '{ b');
    await world.write('f.yaml', now);
    expect((await world.run('plan')).code).toBe(2);
    expect((await world.run('destroy', '--auto-approve')).code).toBe(0);
    expect(world.fake.functions.size).toBe(0);
  });
});

// A folder in which not even root makes a file: other systems have none that is known.
const isLinux = process.platform === 'linux';
if (!isLinux)
  console.log('Not run: a state in a folder that cannot be written, which needs the /sys of Linux.');

describe('the state', () => {
  it('is beside the file also when JOBFERRY_STATE is empty', async () => {
    await using world = await declared(ONE);
    world.env['JOBFERRY_STATE'] = '';
    expect((await world.run('apply', '--auto-approve')).code).toBe(0);
    expect(JSON.parse(await world.read('jobferry.state.json'))).toMatchObject({ version: 4 });
  });

  it.runIf(isLinux)('need not be locked by who only looks', async () => {
    await using world = await declared(ONE);
    const place = ['--state', '/sys/jobferry.state.json'];
    for (const command of ['plan', 'drift']) {
      const { code, stderr } = await world.run(command, ...place);
      expect(code, stderr).toBe(0);
      expect(stderr).toMatch(/warning: The lock of the state, .* cannot be made: .* Going on without a lock/);
    }
    const { code, stderr } = await world.run('apply', '--auto-approve', ...place);
    expect(code).toBe(2);
    expect(stderr).toContain('keep the state elsewhere with --state');
  });
});
