/** Every example runs, and so does the README's first one, taken out of the README itself. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const cli = join(root, 'dist/cli/main.js');
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-examples-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const example = async (name: string) => (await run(process.execPath, [join(root, 'examples', name)])).stdout;

describe('examples', () => {
  it('local-only: a failing job is one outcome among others', async () => {
    expect((await example('local-only.ts')).split('\n').slice(0, 4).sort()).toEqual([
      '2 ok, 1 failed',
      'divide failed divide failed on local: RangeError: division by zero',
      'greet ok Hello, Ada!',
      'greet ok Hello, Grace!',
    ]);
  });

  it('typed-with-schema: the schema refuses what the types could not see', async () => {
    const output = await example('typed-with-schema.ts');
    expect(output).toContain('ok 1280 x 960');
    expect(output).toMatch(/failed INVALID_REQUEST .*width.*height/s);
  });

  it('mixed: one job on the platform, one in the process', async () => {
    expect((await example('mixed.ts')).trim().split('\n').sort()).toEqual([
      'primes ok 1229 on custom-http',
      'primes ok 2262 on custom-http',
      'shout ok ALL ABOARD on local',
    ]);
  });

  it('failover: the dark provider costs no job', async () => {
    const output = await example('failover.ts');
    expect(output).toContain('20 of 20 ok');
    expect(output).toContain('primes(1900) ok 290 on memory');
  });

  it('hedge: every job ends ok, with at most 5 % more requests', async () => {
    const [, ok, extra] = /^(\d+) ok with (\d+) extra/.exec(await example('hedge.ts')) ?? [];
    expect(Number(ok)).toBe(1000);
    expect(Number(extra)).toBeLessThanOrEqual(50);
    expect(Number(extra)).toBeGreaterThan(0);
  });

  it('reference-server: ten lines that serve the spec', async () => {
    const source = await readFile(join(root, 'examples/reference-server.ts'), 'utf8');
    expect(source.split('\n').filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(10);
    const port = await freePort();
    const server = spawn(process.execPath, [join(root, 'examples/reference-server.ts')], {
      cwd: folder,
      env: { PORT: String(port) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await firstLine(server, /listening on/);
      const about = await (await fetch(`http://127.0.0.1:${port}/api`)).json();
      expect(about).toMatchObject({ platform: 'jobferry' });
    } finally {
      server.kill();
      await once(server, 'exit');
    }
  });
});

describe('the README’s first example', () => {
  it('prints what the README says, deployed by the CLI and again from the local handler', async () => {
    const readme = await readFile(join(root, 'README.md'), 'utf8');
    const blocks = [...readme.matchAll(/```ts\n\/\/ (\S+)\n(.*?)```/gs)];
    expect(blocks.map(([, name]) => name)).toEqual(['jobs.ts', 'main.ts']);
    const port = await freePort();
    const project = join(folder, 'readme');
    await mkdir(join(project, 'node_modules'), { recursive: true });
    await symlink(root, join(project, 'node_modules/jobferry'));
    await writeFile(join(project, 'package.json'), '{ "type": "module" }');
    for (const [, name = '', code = ''] of blocks) {
      await writeFile(join(project, name), code.replace(':8080', `:${port}`));
    }
    const options = {
      cwd: project,
      env: { PATH: process.env['PATH'], JOBFERRY_URL: `http://127.0.0.1:${port}` },
    };
    const dev = spawn(process.execPath, [cli, 'dev', '--port', String(port)], {
      cwd: project,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await firstLine(dev, /ready on/);
      await run(process.execPath, [cli, 'deploy', 'jobs.ts'], options);
      expect((await run(process.execPath, ['main.ts'], options)).stdout).toBe('square ok 49\n');
    } finally {
      dev.kill();
      await once(dev, 'exit');
    }
    const source = await readFile(join(project, 'main.ts'), 'utf8');
    await writeFile(join(project, 'local.ts'), source.replace(/^ *\.withFaasExecutor.*\n/m, ''));
    expect((await run(process.execPath, ['local.ts'], options)).stdout).toBe('square ok 49\n');
  });
});

async function firstLine(child: ChildProcess, pattern: RegExp): Promise<void> {
  if (child.stdout === null) throw new Error('the child has no stdout');
  for await (const line of createInterface({ input: child.stdout })) if (pattern.test(line)) return;
  throw new Error(`the child ended without a line like ${pattern}`);
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}
