/** The example and the README's first block, run as a user runs them, against a platform on this machine. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Platform, startPlatform } from '../../platform/src/index.js';
import { RUNTIMES } from '../../src/executors/e2e-openfaas/index.js';
import { hasPython } from '../support/python.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const readme = await readFile(join(root, 'src/executors/e2e-openfaas/README.md'), 'utf8');

let folder: string;
let platform: Platform;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-e2e-example-'));
  platform = await startPlatform({ port: 0, dataDir: join(folder, 'data') });
});
afterAll(async () => {
  await platform.close();
  await rm(folder, { recursive: true, force: true });
});

const run = async (file: string) => {
  const env = { PATH: process.env['PATH'] ?? '', E2E_FAAS_URL: `${platform.url}/faas/api/v1` };
  return (await promisify(execFile)(process.execPath, [file], { env, cwd: folder })).stdout;
};

describe('on a platform of this machine', () => {
  it('examples/e2e-openfaas.ts deploys, runs two jobs, scales, reads the log and cleans up', async () => {
    const stdout = await run(join(root, 'examples/e2e-openfaas.ts'));
    const ok = stdout.split('\n').filter((line) => line.startsWith('ok'));
    expect(ok.sort()).toEqual(['ok 1229 on e2e-openfaas', 'ok 2262 on e2e-openfaas']);
    expect(stdout).toContain('2 copies');
  });

  it.runIf(hasPython)('the README’s first example runs a Node.js and a Python function, inline', async () => {
    const [, source = ''] = /```ts\n([\s\S]+?)```/.exec(readme) ?? [];
    const here = source.replace('http://127.0.0.1:8080', platform.url);
    expect(here).not.toBe(source);
    await mkdir(join(folder, 'node_modules'), { recursive: true });
    await symlink(root, join(folder, 'node_modules/jobferry'));
    await writeFile(join(folder, 'package.json'), '{"type":"module"}\n');
    await writeFile(join(folder, 'first.ts'), here);
    const stdout = await run(join(folder, 'first.ts'));
    expect(stdout).toContain("ok { by: 'node', sum: 42 }");
    expect(stdout).toContain("ok { by: 'python', sum: 42 }");
    expect(stdout).toContain('adding 3');
    expect(stdout.match(/copies: 2/g)).toHaveLength(2);
  });
});

it('the README names every runtime that is past its end', () => {
  const today = new Date().toISOString().slice(0, 10);
  const past = RUNTIMES.filter(({ endOfLife }) => endOfLife !== undefined && endOfLife.date < today);
  expect(past.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['node20', 'node18', 'csharp7.0', 'go1.21']),
  );
});
