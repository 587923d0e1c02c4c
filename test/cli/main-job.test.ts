import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Ended, ended } from './cli.js';

const main = fileURLToPath(new URL('../../examples/main-job/main.ts', import.meta.url));

let root: string;
let temp: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'jobferry-main-test-'));
  temp = join(root, 'temp');
  await mkdir(temp);
  await mkdir(join(root, 'in'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** Paths are latin1, so that names need not be UTF-8. */
const inside = (path: string) => Buffer.from(join(root, path), 'latin1');

function start(...args: string[]): ChildProcess {
  const env = { PATH: process.env['PATH'] ?? '', TMPDIR: temp };
  // A process group of its own, so that a test can send Ctrl-C as a terminal does: to everyone in it.
  return spawn(process.execPath, [main, join(root, 'in'), '--out', join(root, 'out'), ...args], {
    env,
    detached: true,
  });
}

const run = (...args: string[]): Promise<Ended> => ended(start(...args));

async function expectNothingLeft(): Promise<void> {
  expect(await readdir(temp)).toEqual([]);
  const processes = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
  expect(processes).not.toContain(root);
}

describe('the main job', () => {
  it('makes a checksum here and a compressed copy on the platform of every file', async () => {
    const files = {
      a: 'alpha',
      empty: '',
      'sub/b.txt': 'beta'.repeat(1000),
      'new\nline': '1',
      'byte\xff\xfe': '2',
    };
    await mkdir(join(root, 'in/sub'));
    for (const [name, text] of Object.entries(files)) await writeFile(inside(`in/${name}`), text);
    const { code, json, stderr } = await run('--json');
    expect({ code, stderr: stderr.includes('failed') }).toEqual({ code: 0, stderr: false });
    const bytesIn = Object.values(files).join('').length;
    expect(json()).toMatchObject({
      ok: 10,
      failed: 0,
      local: 5,
      faas: 5,
      bytesIn,
      jobs: {
        checksum: { ranOn: 'local', ok: 5, coldStarts: 0 },
        compress: { ranOn: 'custom-http', ok: 5, bytesIn },
      },
    });
    for (const [name, text] of Object.entries(files)) {
      expect(brotliDecompressSync(await readFile(inside(`out/${name}.br`))).toString()).toBe(text);
    }
    await expectNothingLeft();
  });

  it('lets no bad file stop the rest, and then exits with 1', async () => {
    await writeFile(join(root, 'in/good'), 'good');
    await writeFile(join(root, 'in/huge'), '');
    await truncate(join(root, 'in/huge'), 20 * 2 ** 30);
    await writeFile(join(root, `in/${'n'.repeat(254)}`), 'its copy would have too long a name');
    await symlink('good', join(root, 'in/link'));
    execFileSync('mkfifo', [join(root, 'in/fifo')]);
    const { code, json, stderr } = await run('--json');
    expect(code).toBe(1);
    // Both jobs of the huge file, and the copy with the long name.
    expect(json()).toMatchObject({ ok: 3, failed: 3 });
    expect(stderr).toContain('skipped link: a link');
    expect(stderr).toContain('skipped fifo: a FIFO');
    expect(stderr).toMatch(/failed huge: it has 21474836480 bytes, and the platform takes \d+ at most/);
    expect(await readdir(join(root, 'out'))).toEqual(['good.br']);
    await expectNothingLeft();
  });

  it('leaves its own output alone when that lies inside the folder', async () => {
    await mkdir(join(root, 'in/out'));
    await writeFile(join(root, 'in/a'), 'a');
    await writeFile(join(root, 'in/out/old.br'), 'from before');
    const { json } = await run('--json', '--out', join(root, 'in/out'));
    expect(json()).toMatchObject({ ok: 2, failed: 0 });
  });

  it('prints a table and no control characters of file names', async () => {
    await writeFile(join(root, 'in/\x1b[31mred'), 'x');
    await symlink('x', join(root, 'in/\x1b[31mlink'));
    const { stdout, stderr } = await run();
    expect(stdout).toMatch(/^checksum +local +1 +0 /m);
    expect(stdout).toMatch(/^compress +custom-http +1 +0 /m);
    expect(stdout + stderr).not.toContain('\x1b');
  });

  it('finishes what it began on Ctrl-C and leaves nothing behind', async () => {
    for (let i = 0; i < 500; i += 1)
      await writeFile(join(root, `in/${i}`), createHash('sha256').update(`${i}`).digest());
    const child = start('--json');
    const over = ended(child);
    // The first progress line: calls are under way.
    await new Promise((resolve) => child.stderr?.once('data', resolve));
    process.kill(-(child.pid as number), 'SIGINT');
    const { code, json } = await over;
    expect(code).toBe(130);
    const { ok, failed } = json() as { ok: number; failed: number };
    expect(failed).toBe(0);
    expect(ok).toBeGreaterThan(0);
    expect(ok).toBeLessThan(1000);
    await expectNothingLeft();
  });

  it('refuses a folder that does not exist and options it does not know with exit code 2', async () => {
    await rm(join(root, 'in'), { recursive: true });
    expect((await run()).code).toBe(2);
    await mkdir(join(root, 'in'));
    expect((await run('--nonsense')).code).toBe(2);
    expect((await run('--concurrency', '0')).code).toBe(2);
  });
});
