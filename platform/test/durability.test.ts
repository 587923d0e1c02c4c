import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startPlatform } from '../src/index.js';
import { answer, sh } from './support/bootstraps.js';
import { callsAreGone, eventually, type TestPlatform, tempFolder, testPlatform } from './support/platform.js';
import { buildPlatform, type PlatformProcess, spawnPlatform } from './support/platform-process.js';
import { zip } from './support/zip.js';

/** What a data folder holds, apart from what SQLite keeps beside its file. */
async function contents(dataDir: string): Promise<{ code: string[]; incoming: string[] }> {
  return {
    code: (await readdir(join(dataDir, 'code'))).toSorted(),
    incoming: await readdir(join(dataDir, 'incoming')),
  };
}

async function* platformOn(dataDir: string): AsyncGenerator<TestPlatform> {
  await using server = await testPlatform({ dataDir });
  yield server;
}

describe('a data folder', () => {
  it('keeps deployed functions over a restart; counters begin again', async () => {
    const dataDir = await tempFolder();
    let record: unknown;
    for await (const server of platformOn(dataDir)) {
      record = (await server.deploy('kept', answer(5), { memory_mb: 256, env_vars: { A: 'b' } })).body;
      await server.invoke('kept');
    }
    for await (const server of platformOn(dataDir)) {
      const { body } = await server.request('GET', '/api/functions/kept');
      expect(body).toEqual({ ...(record as object), endpoint: body.endpoint });
      expect((await server.request('GET', '/api/functions/kept/health')).body.total_invocations).toBe(0);
      expect((await server.invoke('kept')).body.result).toEqual([5]);
    }
  });

  it('is refused to a second platform while the first lives', async () => {
    await using server = await testPlatform();
    await expect(startPlatform({ port: 0, dataDir: server.dataDir })).rejects.toThrow(
      /in use by another running platform .*platform\.sqlite/,
    );
    expect((await server.deploy('still', answer(1))).status).toBe(200);
  });

  it.each([
    ['junk', Buffer.from('this is not a database, but it is long enough to be one'.repeat(40))],
    ['a database cut short', undefined],
  ])('with %s as its records is refused by name and left as it is', async (_, junk) => {
    const dataDir = await tempFolder();
    for await (const server of platformOn(dataDir)) await server.deploy('x', answer(1));
    const file = join(dataDir, 'platform.sqlite');
    const damaged = junk ?? (await readFile(file)).subarray(0, 5000);
    await rm(`${file}-wal`, { force: true });
    await writeFile(file, damaged);
    await expect(startPlatform({ port: 0, dataDir })).rejects.toThrow(
      new RegExp(`${file} cannot be read .* Restore it from a backup`),
    );
    expect((await readFile(file)).equals(damaged)).toBe(true);
  });

  it('is swept of what nothing refers to when a platform starts', async () => {
    const dataDir = await tempFolder();
    for await (const server of platformOn(dataDir)) await server.deploy('kept', answer(1));
    const { code } = await contents(dataDir);
    await mkdir(join(dataDir, 'code', 'f'.repeat(64)));
    await mkdir(join(dataDir, 'incoming', 'half'));
    await writeFile(join(dataDir, 'incoming', 'half.zip'), 'x');
    await mkdir(join(dataDir, 'calls', 'dead', 'call'), { recursive: true });
    for await (const server of platformOn(dataDir)) {
      expect(await contents(dataDir)).toEqual({ code, incoming: [] });
      expect(await readdir(join(dataDir, 'calls'))).not.toContain('dead');
      await callsAreGone(server);
    }
  });
});

describe('kill -9 of the platform', () => {
  let built: string;
  let home: string;
  const alive: PlatformProcess[] = [];

  beforeAll(async () => {
    home = await tempFolder();
    // The bundle finds its dependency and its package.json as an installed package would.
    await symlink(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(home, 'node_modules'));
    await writeFile(join(home, 'package.json'), '{"type":"module","version":"0.0.0"}');
    built = await buildPlatform(join(home, 'dist'));
  });
  afterAll(async () => {
    for (const platform of alive) await platform.kill();
    await rm(home, { recursive: true, force: true });
  });

  async function start(options: object): Promise<PlatformProcess> {
    const platform = await spawnPlatform(built, { port: 0, ...options });
    alive.push(platform);
    return platform;
  }

  it('loses no function that was answered, and shows no half of one, whenever it comes', async () => {
    const dataDir = await tempFolder();
    const answered = new Map<string, number>();
    const version = (n: number): Buffer =>
      zip([
        { name: 'bootstrap', content: answer(n) },
        ...Array.from({ length: 20 }, (_, file) => ({ name: `f${file}`, content: 'x'.repeat(5000) })),
      ]);
    for (let round = 0; round < 5; round++) {
      const platform = await start({ dataDir });
      let answers = 0;
      const deploys = Array.from({ length: 8 }, async (_, index) => {
        const n = round * 8 + index;
        const id = `f${index}`;
        const { status } = await platform.deploy(id, version(n), {}, '?replace=true');
        if (status === 200) answered.set(id, n);
        answers++;
      });
      const settled = Promise.allSettled(deploys);
      // Each round one answer later, so that the kill meets uploads, extractions and commits.
      await eventually(() => answers >= round, `${round} deploys were answered`);
      await platform.kill();
      await settled;
    }
    expect(answered.size).toBeGreaterThan(0);
    await using server = await testPlatform({ dataDir, prestart: { total: 0 } });
    for (const [id, n] of answered) {
      const { status, body } = await server.invoke(id);
      expect({ status, body }).toEqual({ status: 200, body: expect.objectContaining({ success: true }) });
      // A later deploy may have been stored without its answer getting through.
      expect(body.result[0]).toBeGreaterThanOrEqual(n);
      expect(body.result[0] % 8).toBe(n % 8);
    }
    await callsAreGone(server);
    const { code, incoming } = await contents(dataDir);
    expect(incoming).toEqual([]);
    expect(code.filter((name) => name !== 'package.json').length).toBeLessThanOrEqual(8);
  });

  it.each(['auto', 'environment-scan'])(
    'ends the functions that ran, also those in sessions of their own (%s)',
    async (processTree) => {
      const dataDir = await tempFolder();
      const platform = await start({ dataDir, processTree });
      const body = `setsid sh -c 'echo $$ > ${home}/hidden; exec sleep 300' &\necho $$ > ${home}/root; exec sleep 300`;
      await platform.deploy('sleeper', sh(body));
      const call = platform.invoke('sleeper').catch(() => 'cut');
      const pid = async (name: string): Promise<number> =>
        Number(await readFile(join(home, name), 'utf8').catch(() => 0));
      await eventually(async () => (await pid('root')) > 0 && (await pid('hidden')) > 0, 'the function runs');
      const pids = [await pid('root'), await pid('hidden')];
      await platform.kill();
      expect(await call).toBe('cut');
      await eventually(
        () => pids.every((one) => !existsSync(`/proc/${one}`)),
        'the function is gone without a new platform',
      );
      await rm(join(home, 'root'));
      await rm(join(home, 'hidden'));
      await using server = await testPlatform({ dataDir });
      expect((await server.request('GET', '/api/functions/sleeper/health')).status).toBe(200);
      await callsAreGone(server);
    },
  );

  it('ends them at the next start, if the watchdog and the spawner were killed as well', async () => {
    const dataDir = await tempFolder();
    const platform = await start({ dataDir });
    await platform.deploy('sleeper', sh(`echo $$ > ${home}/root; exec sleep 300`));
    platform.invoke('sleeper').catch(() => {});
    const root = async (): Promise<number> =>
      Number(await readFile(join(home, 'root'), 'utf8').catch(() => 0));
    await eventually(async () => (await root()) > 0, 'the function runs');
    const pid = await root();
    // Stopped first, so that it cannot see its spawner die and end the call itself.
    platform.child.kill('SIGSTOP');
    for (const child of await childrenOf(platform.child.pid ?? 0)) process.kill(child, 'SIGKILL');
    await platform.kill();
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    await using _server = await testPlatform({ dataDir });
    await eventually(() => !existsSync(`/proc/${pid}`), 'the function is gone');
  });
});

async function childrenOf(pid: number): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    const stat = /^[0-9]+$/.test(name) ? await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '') : '';
    if (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid) found.push(Number(name));
  }
  return found;
}
