import { spawnSync } from 'node:child_process';
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { answer, sh } from './support/bootstraps.js';
import { type JsonReply, tempFolder, testPlatform } from './support/platform.js';
import { buildPlatform, spawnPlatform } from './support/platform-process.js';
import { zip } from './support/zip.js';

const run = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0;

/** A file system of 1 MiB; undefined where this user may not mount one. */
async function smallDisk(): Promise<string | undefined> {
  const folder = await tempFolder();
  return run('mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder) ? folder : undefined;
}

const disk = await smallDisk();

describe.runIf(disk !== undefined)('a full disk', () => {
  const folder = disk ?? '';
  afterAll(async () => {
    run('umount', folder);
    await rm(folder, { recursive: true, force: true });
  });

  it('is 503 for a deploy, changes nothing, and is over when there is room again', async () => {
    await using server = await testPlatform({ dataDir: join(folder, 'data') });
    expect((await server.deploy('kept', answer(1))).status).toBe(200);
    await writeFile(join(folder, 'ballast'), Buffer.alloc(500 * 1024));
    const large = zip([
      { name: 'bootstrap', content: answer(2) },
      { name: 'data', content: Buffer.alloc(800 * 1024, 'abcdefgh1') },
    ]);
    const stored = zip([
      { name: 'bootstrap', content: answer(2) },
      { name: 'data', content: Buffer.alloc(700 * 1024), stored: true },
    ]);
    // The one overflows while its code is extracted, the other while it is uploaded.
    for (const code of [stored, large]) {
      const { status, body, headers } = await server.deploy('kept', code, {}, '?replace=true');
      expect([status, body.code, headers.get('retry-after')]).toEqual([503, 'UNAVAILABLE', '60']);
    }
    expect(await readdir(join(folder, 'data', 'incoming'))).toEqual([]);
    expect((await server.invoke('kept')).body.result).toEqual([1]);
    await rm(join(folder, 'ballast'));
    expect((await server.deploy('kept', answer(3), {}, '?replace=true')).status).toBe(200);
    expect((await server.invoke('kept')).body.result).toEqual([3]);
  });
});

describe.runIf(process.platform === 'linux' && run('prlimit', '--version'))(
  'no file descriptors left',
  () => {
    let home: string;
    let built: string;

    beforeAll(async () => {
      home = await tempFolder();
      await symlink(
        fileURLToPath(new URL('../../node_modules', import.meta.url)),
        join(home, 'node_modules'),
      );
      await writeFile(join(home, 'package.json'), '{"type":"module","version":"0.0.0"}');
      built = await buildPlatform(join(home, 'dist'));
      await mkdir(join(home, 'data'));
    });
    afterAll(() => rm(home, { recursive: true, force: true }));

    it('is EXECUTION_ERROR for the calls that cannot be started, which did not run, and the platform lives', async () => {
      const platform = await spawnPlatform(built, {
        port: 0,
        dataDir: join(home, 'data'),
        prestart: { total: 0 },
      });
      try {
        await platform.deploy('slow', sh(`cat > /dev/null; sleep 0.5; printf '{"result":[1]}'`));
        const four = (): Promise<JsonReply[]> =>
          Promise.all(Array.from({ length: 4 }, () => platform.invoke('slow')));
        // Their connections stay open, so that the next four need none.
        expect((await four()).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
        const pid = String(platform.child.pid);
        // The pipes of the calls before are put away after their answers.
        await new Promise((resolve) => setTimeout(resolve, 300));
        const open = new Set((await readdir(`/proc/${pid}/fd`)).map(Number));
        // The limit is on the number of a descriptor: below the second one that is free, one is left.
        const free = Array.from({ length: open.size + 2 }, (_, fd) => fd).filter((fd) => !open.has(fd));
        expect(run('prlimit', '--pid', pid, `--nofile=${free[1]}:`)).toBe(true);
        const failed = (await four()).filter(({ status }) => status !== 200);
        expect(failed.length).toBeGreaterThan(0);
        for (const { status, body } of failed)
          expect([status, body.code, body.executed]).toEqual([500, 'EXECUTION_ERROR', 'no']);
        expect(run('prlimit', '--pid', pid, '--nofile=1000:')).toBe(true);
        expect((await four()).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      } finally {
        await platform.kill();
      }
    });
  },
);
