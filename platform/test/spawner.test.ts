import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { type SpawnedProcess, Spawner } from '../src/runtimes/spawner.js';
import { sh } from './support/bootstraps.js';
import { eventually, tempFolder, testPlatform } from './support/platform.js';
import { buildPlatform, spawnPlatform } from './support/platform-process.js';
import { isRunning, pidsWith, readProc, spawnersOf } from './support/processes.js';

const ENV = { PATH: '/usr/bin:/bin' };

describe('the spawner', () => {
  let spawner: Spawner;
  const events: string[] = [];

  beforeEach(async () => {
    spawner = new Spawner((_level, event) => events.push(event));
    await spawner.open();
  });
  afterEach(() => spawner.close());

  async function start(script: string, input?: string): Promise<SpawnedProcess> {
    const request = { file: '/bin/sh', args: ['-c', script], cwd: '/', env: ENV };
    const child = await spawner.spawn(request);
    if (input !== undefined) child.feed([Buffer.from(input)]);
    return child;
  }

  /** Runs to the end and gives the pipes back. */
  async function run(script: string, input = ''): Promise<{ end: object; stdout: string; stderr: string }> {
    const child = await start(script, input);
    const [stdout, stderr] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
    const end = await child.ended;
    child.kill();
    return { end, stdout, stderr };
  }

  async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
    let text = '';
    for await (const chunk of stream) text += chunk.toString('latin1');
    return text;
  }

  it('starts a process with the input, the environment and the folder it is told', async () => {
    const { end, stdout, stderr } = await run('cat; pwd; echo "$PATH" >&2; exit 3', 'hello ');
    expect(end).toEqual({ kind: 'exited', exitCode: 3, signal: null, inputGiven: true, inputRead: true });
    expect([stdout, stderr]).toEqual(['hello /\n', '/usr/bin:/bin\n']);
  });

  it('tells a signal from an exit code', async () => {
    expect((await run('kill -TERM $$')).end).toMatchObject({ exitCode: null, signal: 'SIGTERM' });
    expect((await run('exit 143')).end).toMatchObject({ exitCode: 143, signal: null });
  });

  it.each([
    ['all of it', 'cat > /dev/null', true],
    ['none of it', 'sleep 0.1', false],
    ['the beginning', 'head -c 3 > /dev/null; sleep 0.1', false],
  ])('sees that a process read %s', async (_, script, inputRead) => {
    expect((await run(script, 'x'.repeat(5000))).end).toMatchObject({ inputGiven: true, inputRead });
  });

  it('carries megabytes in and out, also past a process that does not read them', async () => {
    const text = 'x'.repeat(8 << 20);
    expect((await run('cat', text)).stdout).toBe(text);
    expect((await run('exit 0', text)).end).toMatchObject({ exitCode: 0, inputRead: false });
  });

  it('lets a process wait for its input until it gets it', async () => {
    const child = await start('read line; echo "got $line"');
    await new Promise((resolve) => setTimeout(resolve, 100));
    child.feed([Buffer.from('a '), Buffer.from('line\n')]);
    expect(await textOf(child.stdout)).toBe('got a line\n');
    expect(await child.ended).toMatchObject({ exitCode: 0, inputGiven: true });
  });

  it('gives a process an order that is not its input', async () => {
    const child = await start('read -r order; echo "<$order>"; cat');
    child.order('to begin');
    child.feed([Buffer.from('input')]);
    expect(await textOf(child.stdout)).toBe('<to begin>\ninput');
    const unasked = await start('read -r order');
    unasked.order('to end');
    expect(await unasked.ended).toMatchObject({ exitCode: 0, inputGiven: false, inputRead: false });
  });

  it('says why a process could not be started', async () => {
    const request = { args: [], cwd: '/', env: ENV };
    await expect(spawner.spawn({ ...request, file: '/nowhere' })).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(spawner.spawn({ ...request, file: '/etc/passwd' })).rejects.toMatchObject({
      code: 'EACCES',
    });
    await expect(spawner.spawn({ ...request, file: '/bin/true', cwd: '/nowhere' })).rejects.toMatchObject({
      code: 'ENOENT',
    });
    const tooLong = { ...ENV, LONG: 'x'.repeat(4 << 20) };
    await expect(spawner.spawn({ ...request, file: '/bin/true', env: tooLong })).rejects.toMatchObject({
      code: 'E2BIG',
    });
    expect((await run('echo lives')).stdout).toBe('lives\n');
  });

  it('kills the process that its owner lets go of', async () => {
    const child = await start('exec sleep 300');
    expect(isRunning(child.pid)).toBe(true);
    child.kill();
    await eventually(() => !isRunning(child.pid), 'the process is gone');
  });

  it('lets SIGTERM and Ctrl-C pass, which are meant for the platform', async () => {
    const pid = spawnersOf(process.pid)[0] ?? 0;
    const child = await start('cat');
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.kill(pid, signal);
    child.feed([Buffer.from('on')]);
    expect(await textOf(child.stdout)).toBe('on');
    expect(await child.ended).toMatchObject({ exitCode: 0 });
  });

  it('is started again after its death; what it had started is lost, and says so', async () => {
    const child = await start('exec sleep 300');
    process.kill(spawnersOf(process.pid)[0] ?? 0, 'SIGKILL');
    expect(await child.ended).toEqual({ kind: 'lost' });
    await eventually(() => events.includes('spawner-ended'), 'the log says so');
    expect((await run('echo again')).stdout).toBe('again\n');
    process.kill(child.pid, 'SIGKILL');
  });

  it('starts fifty processes at once', async () => {
    const all = await Promise.all(Array.from({ length: 50 }, (_, n) => run(`cat; echo ${n}`, 'x')));
    expect(all.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 50 }, (_, n) => `x${n}\n`));
  });

  it('leaves nothing behind when it is closed, and starts nothing any more', async () => {
    const others = socketFolders();
    const other = new Spawner(() => {});
    await other.open();
    const [folder = ''] = socketFolders().filter((path) => !others.includes(path));
    expect(existsSync(folder)).toBe(true);
    const child = await other.spawn({ file: '/bin/sleep', args: ['300'], cwd: '/', env: ENV });
    await other.close();
    await other.close();
    expect(await child.ended).toEqual({ kind: 'lost' });
    await eventually(() => !isRunning(child.pid), 'the process is gone');
    expect(existsSync(folder)).toBe(false);
    await expect(other.spawn({ file: '/bin/true', args: [], cwd: '/', env: ENV })).rejects.toThrow('closed');
  });
});

/** The private folders of the spawners of this process; a spawner's last argument is a path in it. */
function socketFolders(): string[] {
  return spawnersOf(process.pid).map((pid) => dirname(readProc(pid, 'cmdline').split('\0').at(-2) ?? ''));
}

describe('a platform whose spawner dies', () => {
  it('fails the call that ran with INFRASTRUCTURE_ERROR, kills it, and serves the next', async () => {
    const folder = await tempFolder();
    await using server = await testPlatform();
    await server.deploy('sleeper', sh(`touch ${folder}/runs; exec sleep 300`), {
      env_vars: { MARK: folder },
    });
    const call = server.invoke('sleeper');
    await eventually(() => existsSync(join(folder, 'runs')), 'the call runs');
    process.kill(spawnersOf(process.pid)[0] ?? 0, 'SIGKILL');
    const { status, body } = await call;
    expect([status, body.code, body.executed]).toEqual([500, 'INFRASTRUCTURE_ERROR', 'maybe']);
    expect(pidsWith(`MARK=${folder}`)).toEqual([]);
    await server.deploy('quick', sh(`cat > /dev/null; printf '{"result":[1]}'`));
    expect((await server.invoke('quick')).body.result).toEqual([1]);
  });
});

describe('a platform in a process of its own', () => {
  let home: string;
  let built: string;

  beforeAll(async () => {
    home = await tempFolder();
    await symlink(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(home, 'node_modules'));
    await writeFile(join(home, 'package.json'), '{"type":"module","version":"0.0.0"}');
    built = await buildPlatform(join(home, 'dist'));
  });
  afterAll(() => rm(home, { recursive: true, force: true }));

  it('killed with -9 is not taken by a waiting bootstrap for the end of an empty input, and ends it', async () => {
    for (let round = 0; round < 3; round++) {
      const platform = await spawnPlatform(built, { port: 0, dataDir: join(home, 'data') });
      await platform.deploy('careless', sh(`echo > ${home}/started; cat > /dev/null; echo > ${home}/ran`));
      const { body } = await platform.request('POST', '/api/functions/careless/warm');
      expect(body.instances_warmed).toBe(1);
      await eventually(() => existsSync(join(home, 'started')), 'it waits');
      await platform.kill();
      await eventually(
        () => pidsWith('FAAS_FUNCTION_ID=careless').length === 0,
        'nothing of the function is left',
      );
      expect(existsSync(join(home, 'ran'))).toBe(false);
    }
  });

  it('hands no function the files that whoever started it left open (ENV-5)', async () => {
    const platform = await spawnPlatform(
      built,
      { port: 0, dataDir: join(home, 'data') },
      join(home, 'left-open'),
    );
    try {
      // As seen by /proc, whatever their number.
      const look = (pid: string) => `ls -l /proc/${pid}/fd | grep -c left-open || true`;
      const count = execFileSync('sh', ['-c', look(String(platform.child.pid))], {
        encoding: 'utf8',
      });
      expect(count).toBe('1\n');
      const script = `cat > /dev/null; printf '{"result":[%s]}' "$(${look('$$')})"`;
      await platform.deploy('curious', sh(script));
      expect((await platform.invoke('curious')).body.result).toEqual([0]);
    } finally {
      await platform.kill();
    }
  });
});
