import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cli, ended, folderWith, readyUrl, startCli, startDev } from './cli.js';

let folder: string;
beforeEach(async () => {
  folder = await folderWith({});
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('jobferry dev', () => {
  it('says where it listens on its first line and describes itself there', async () => {
    await using dev = await startDev(join(folder, 'data'));
    expect(dev.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(await (await fetch(`${dev.url}/api`)).json()).toMatchObject({ spec: '1.1', platform: 'jobferry' });
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('closes on %s with exit code 0', async (signal) => {
    const dev = await startDev(join(folder, 'data'));
    const over = ended(dev.child);
    dev.child.kill(signal);
    expect((await over).code).toBe(0);
    await expect(fetch(dev.url)).rejects.toThrow();
  });

  it('takes a free port when the default one is taken', async () => {
    // Taken by this test, or by something else on this machine already: both will do.
    const blocker = createServer().on('error', () => {});
    blocker.listen(8080, '127.0.0.1');
    await Promise.race([once(blocker, 'listening'), once(blocker, 'error')]);
    const child = startCli(['dev', '--data', join(folder, 'data')]);
    const over = ended(child);
    try {
      expect(await readyUrl(child)).toMatch(/^http:\/\/127\.0\.0\.1:(?!8080$)\d+$/);
    } finally {
      child.kill('SIGTERM');
      await over;
      blocker.close();
    }
  });

  it('says the address of a proxy in its answers, with --public-url', async () => {
    await using dev = await startDev(join(folder, 'data'), '--public-url', 'https://faas.example.org/x');
    await writeFile(join(folder, 'job.ts'), 'export default () => 1;');
    const deployed = await cli(['deploy', 'job.ts', '--job', '7', '--url', dev.url], { cwd: folder });
    expect(deployed.code, deployed.stderr).toBe(0);
    expect(await (await fetch(`${dev.url}/api/functions`)).json()).toMatchObject({
      functions: [{ endpoint: 'https://faas.example.org/x/api/functions/job7/invoke' }],
    });
  });

  it('refuses a port that is asked for and taken, naming it', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const { port } = blocker.address() as { port: number };
    const { code, stderr } = await cli(['dev', '--port', String(port), '--data', join(folder, 'data')]);
    blocker.close();
    expect(code).toBe(1);
    expect(stderr).toContain(`Port ${port}`);
  });

  it('refuses a data folder that another instance uses', async () => {
    await using _dev = await startDev(join(folder, 'data'));
    const { code, stderr } = await cli(['dev', '--port', '0', '--data', join(folder, 'data')]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/in use|another/i);
  });
});

describe('jobferry doctor', () => {
  it('finds everything in order where a platform runs', async () => {
    await using dev = await startDev(join(folder, 'data'));
    const { code, json } = await cli(['doctor', '--url', dev.url, '--json'], { cwd: folder });
    const { ok, checks } = json() as {
      ok: boolean;
      checks: { name: string; status: string; message: string }[];
    };
    expect({ code, ok }).toEqual({ code: 0, ok: true });
    expect(checks.map((check) => check.name)).toEqual([
      'node',
      'esbuild',
      'jszip',
      'undici',
      '@jobferry/platform',
      'data folder',
      'platform',
      'isolation',
    ]);
    expect(checks.find((check) => check.name === 'platform')?.message).toMatch(/spec 1\.1/);
  });

  it('fails, and says what to do, when the platform that is asked for cannot be reached', async () => {
    const { code, stdout } = await cli(['doctor', '--url', 'http://127.0.0.1:1'], { cwd: folder });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^fail {2}platform: http:\/\/127\.0\.0\.1:1 cannot be reached .*jobferry dev/m);
  });
});
