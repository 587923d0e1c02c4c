/** Declared functions by the command line: the walk of the docs, kills, and two at once. */
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type FakeE2e, fakeE2e } from '../fakes/e2e-platform.js';
import { cli, type Dev, ended, startCli, startDev } from './cli.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-resources-'));
  return () => rm(folder, { recursive: true, force: true });
});

describe('the walk of docs/resources.md', () => {
  let dev: Dev;
  let data: string;
  beforeAll(async () => {
    data = await mkdtemp(join(tmpdir(), 'jobferry-walk-'));
    dev = await startDev(data);
  });
  afterAll(async () => {
    await dev[Symbol.asyncDispose]();
    await rm(data, { recursive: true, force: true });
  });

  it('goes as it is written', async () => {
    const text = await readFile(join(root, 'docs/resources.md'), 'utf8');
    const [, yaml = ''] = /```yaml\n# jobferry\.functions\.yaml\n(.*?)```/s.exec(text) ?? [];
    const commands = [...text.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => block).join('\n');
    expect(commands.split('\n').filter((line) => line.startsWith('jobferry')).length).toBeGreaterThan(18);
    await writeFile(join(folder, 'jobferry.functions.yaml'), yaml);
    const jobferry = join(folder, 'jobferry');
    await writeFile(jobferry, `#!/bin/sh\nexec "${process.execPath}" "${root}/dist/cli/main.js" "$@"\n`);
    await chmod(jobferry, 0o755);
    // What a pipe says is what its grep says: the refusal of a used plan is meant to be one.
    const script = `set -ex\n${commands}`;
    const child = spawn('bash', ['-c', script], {
      cwd: folder,
      env: { PATH: `${folder}${delimiter}${process.env['PATH'] ?? ''}`, JOBFERRY_URL: dev.url },
    });
    const { code, stderr } = await ended(child);
    expect(code, stderr).toBe(0);
  });
});

describe('jobferry apply', () => {
  let fake: FakeE2e;
  beforeEach(async () => {
    fake = await fakeE2e();
    return () => fake[Symbol.asyncDispose]();
  });
  const env = () => ({
    SERVICE_API_ENDPOINT: fake.url,
    SERVICE_AUTH_TOKEN: 'token-1',
    DB_PASSWORD: 'hunter2',
  });
  const declare = async (names: readonly string[]) => {
    const functions = names.map(
      (name) =>
        `  ${name}:\n    runtime: python3.11\n    code_inline: "def handle(e, c): pass"\n    secrets: [db-password]\n`,
    );
    const text = `provider: e2e-platform\nfunctions:\n${functions.join('')}secrets:\n  db-password:\n    value_env: DB_PASSWORD\n`;
    await writeFile(join(folder, 'f.yaml'), text);
  };
  const run = (...args: string[]) => cli(args, { cwd: folder, env: env() });

  it('killed with -9 anywhere is finished by the next one', async () => {
    const names = ['one', 'two', 'three', 'four'];
    await declare(names);
    fake.settleReads = 2;
    // Killed as the provider gets the nth request, which it answers all the same: nobody hears the answer.
    for (const nth of [1, 2, 3, 4, 5, 7, 9, 12]) {
      const args = ['apply', 'f.yaml', '--auto-approve', '--concurrency', '2'];
      const child = startCli(args, { cwd: folder, env: env() });
      let requests = 0;
      fake.onRequest = () => {
        requests += 1;
        if (requests === nth) child.kill('SIGKILL');
      };
      expect((await ended(child)).code, `killed at request ${nth}`).toBeNull();
    }
    fake.onRequest = () => {};
    const last = await run('apply', 'f.yaml', '--auto-approve', '--json');
    expect(last.code, last.stderr).toBe(0);
    expect([...fake.functions.values()].map((one) => one['name']).sort()).toEqual([...names].sort());
    expect((await run('plan', 'f.yaml', '--detailed-exitcode')).code).toBe(0);
  });

  it('stopped with Ctrl-C says so, exits with 130, and is finished by the next one', async () => {
    await declare(['slow']);
    fake.settleReads = 1_000_000;
    const child = startCli(['apply', 'f.yaml', '--auto-approve'], { cwd: folder, env: env() });
    const gone = ended(child);
    await expect.poll(() => fake.functions.size, { timeout: 15_000 }).toBe(1);
    child.kill('SIGINT');
    expect(await gone).toMatchObject({
      code: 130,
      stdout: expect.stringContaining('run it again to finish'),
    });
    fake.settleReads = 0;
    expect((await run('apply', 'f.yaml', '--auto-approve')).code).toBe(0);
    expect(fake.functions.size).toBe(1);
  });

  it('refuses a second one at the same time, and neither spoils anything', async () => {
    await declare(['one', 'two']);
    fake.settleReads = 4;
    const both = await Promise.all([
      run('apply', 'f.yaml', '--auto-approve'),
      run('apply', 'f.yaml', '--auto-approve'),
    ]);
    const refused = both.filter(({ code }) => code !== 0);
    // One may begin when the other has ended: then nothing is left to do for it.
    for (const one of refused)
      expect(one).toMatchObject({
        code: 5,
        stderr: expect.stringMatching(/is locked by .* for apply since/),
      });
    expect(both.some(({ code }) => code === 0)).toBe(true);
    expect(fake.functions.size).toBe(2);
    expect((await run('plan', 'f.yaml', '--detailed-exitcode')).code).toBe(0);
  });

  it('shows no value of a secret: not on the screen, not in the state, not in a saved plan', async () => {
    await declare(['one']);
    const planned = await run('plan', 'f.yaml', '--out', 'p.json', '--json');
    const applied = await run('apply', 'f.yaml', '--plan', 'p.json', '--json');
    expect(applied.code, applied.stderr).toBe(0);
    const state = await readFile(join(folder, 'jobferry.state.json'), 'utf8');
    const saved = await readFile(join(folder, 'p.json'), 'utf8');
    for (const text of [planned.stdout, planned.stderr, applied.stdout, applied.stderr, state, saved]) {
      expect(text).not.toContain('hunter2');
      expect(text).not.toContain('token-1');
    }
  });

  it('does not do a saved plan of a file that has changed since, also for what is made anew', async () => {
    await declare(['one']);
    await run('plan', 'f.yaml', '--out', 'p.json');
    const text = await readFile(join(folder, 'f.yaml'), 'utf8');
    await writeFile(
      join(folder, 'f.yaml'),
      text.replace('secrets:', 'config: { memory_mb: 8192 }\n    secrets:'),
    );
    const { code, stderr } = await run('apply', 'f.yaml', '--plan', 'p.json');
    expect([code, fake.functions.size]).toEqual([5, 0]);
    expect(stderr).toContain('has changed since the plan was saved');
  });

  it('forgets what was deleted by hand and is declared no more', async () => {
    await declare(['one', 'two']);
    expect((await run('apply', 'f.yaml', '--auto-approve')).code).toBe(0);
    const two = [...fake.functions].find(([, { name }]) => name === 'two')?.[0] ?? '';
    fake.functions.delete(two);
    await declare(['one']);
    expect((await run('apply', 'f.yaml', '--auto-approve')).code).toBe(0);
    expect((await run('drift', 'f.yaml', '--detailed-exitcode')).code).toBe(0);
  });

  it('keeps a function whose key in the file changes and whose name does not', async () => {
    await declare(['one']);
    await run('apply', 'f.yaml', '--auto-approve');
    const [id] = fake.functions.keys();
    const text = await readFile(join(folder, 'f.yaml'), 'utf8');
    await writeFile(join(folder, 'f.yaml'), text.replace('  one:', '  resize:\n    name: one'));
    expect((await run('apply', 'f.yaml', '--auto-approve')).stderr).toContain('Nothing to do');
    expect((await run('destroy', 'f.yaml', '--auto-approve', '--target', 'function.resize')).code).toBe(0);
    expect([[...fake.functions.keys()], id]).toEqual([[], expect.any(String)]);
  });

  it('leaves alone what someone else has made under a name of the file', async () => {
    await declare(['one']);
    fake.secrets.set('db-password', 'theirs');
    const { code, stderr } = await run('apply', 'f.yaml', '--auto-approve');
    expect([code, fake.functions.size, fake.secrets.get('db-password')]).toEqual([5, 0, 'theirs']);
    expect(stderr).toContain('jobferry import FILE secret.db-password db-password');
    expect((await run('import', 'f.yaml', 'secret.db-password', 'db-password')).code).toBe(0);
    expect((await run('apply', 'f.yaml', '--auto-approve')).code).toBe(0);
    expect(fake.secrets.get('db-password')).toBe('hunter2');
  });

  it('asks before it does anything, and does nothing where nobody can be asked', async () => {
    await declare(['one']);
    const { code, stderr } = await run('apply', 'f.yaml');
    expect([code, fake.functions.size]).toEqual([2, 0]);
    expect(stderr).toContain('Add --auto-approve');
  });

  it('says which resource failed and why, goes on with the others, and exits with what the failure means', async () => {
    await declare(['good', 'bad']);
    fake.broken.set('bad', 'SyntaxError in handler.py');
    const { code, stderr, json } = await run('apply', 'f.yaml', '--auto-approve', '--json');
    expect(code).toBe(2);
    expect(stderr).toMatch(/function\.bad: failed after .*SyntaxError in handler\.py/);
    expect(json()).toMatchObject({ ok: false, failed: [{ key: 'function.bad' }] });
    expect(fake.functions.size).toBe(2);
    expect((await run('plan', 'f.yaml')).stdout).toContain(
      'function.bad will be replaced because its create failed',
    );
  });

  it('says why a function cannot run somewhere, before anything is made', async () => {
    const text =
      'functions:\n  big:\n    runtime: python3.11\n    code_inline: x\n    config: { memory_mb: 100 }\n    labels: { a: b }\n';
    await writeFile(join(folder, 'f.yaml'), text);
    const { code, stderr } = await cli(['plan', 'f.yaml'], {
      cwd: folder,
      env: { JOBFERRY_URL: 'http://127.0.0.1:9' },
    });
    expect(code).toBe(2);
    expect(stderr).toContain(
      'function.big cannot run at custom-http because it takes Node.js handlers, not the runtime python3.11',
    );
    expect(stderr).toContain('config.memory_mb is 100, and it takes 128 to 10240 in steps of 64');
    expect(stderr).toContain('it has no labels');
  });

  it('plans only what --target names, with what it needs', async () => {
    await declare(['one', 'two']);
    const { json } = await run('plan', 'f.yaml', '--target', 'function.one', '--json');
    expect((json()['actions'] as { key: string }[]).map(({ key }) => key)).toEqual([
      'secret.db-password',
      'function.one',
    ]);
  });

  it('exits with 1 for an error when the exit code shall tell of changes', async () => {
    await writeFile(join(folder, 'f.yaml'), 'functions:\n  x: 1\n');
    expect((await run('plan', 'f.yaml', '--detailed-exitcode')).code).toBe(1);
    expect((await run('plan', 'f.yaml')).code).toBe(2);
  });

  it('takes a file in TypeScript, and keeps its state where it is told', async () => {
    const text = `import { declare } from 'jobferry/resources';
      export default declare({ provider: 'e2e-platform', functions: { typed: { runtime: 'python3.11', code_inline: 'x' } } });`;
    await writeFile(join(folder, 'jobferry.functions.ts'), text);
    const args = ['jobferry.functions.ts', '--state', 'elsewhere.json'];
    expect((await run('apply', ...args, '--auto-approve')).code).toBe(0);
    expect(JSON.parse(await readFile(join(folder, 'elsewhere.json'), 'utf8'))).toMatchObject({ version: 4 });
    expect((await run('refresh', ...args)).stdout).toContain('Nothing was changed outside');
    expect((await run('destroy', ...args, '--auto-approve')).code).toBe(0);
    expect(fake.functions.size).toBe(0);
  });
});
