import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { e2eClient, NODE, PYTHON } from './support/e2e.js';
import { openFaasClient } from './support/openfaas.js';
import { eventually, tempFolder } from './support/platform.js';
import { buildPlatform, type PlatformProcess, spawnPlatform } from './support/platform-process.js';
import { isRunning } from './support/processes.js';
import { hasPython } from './support/python.js';

describe('a platform that is killed', () => {
  let home: string;
  let built: string;
  const started: PlatformProcess[] = [];

  beforeAll(async () => {
    home = await tempFolder();
    // The bundle finds its dependency and its package.json as an installed package would.
    await symlink(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(home, 'node_modules'));
    await writeFile(join(home, 'package.json'), '{"type":"module","version":"0.0.0"}');
    built = await buildPlatform(join(home, 'dist'));
  }, 60_000);
  afterAll(async () => {
    for (const platform of started) await platform.kill();
  });

  it('takes its web functions along, and the next one starts them again, from the build as from the sources', async () => {
    const dataDir = await tempFolder();
    const start = async (): Promise<PlatformProcess> => {
      const platform = await spawnPlatform(built, { port: 0, dataDir });
      started.push(platform);
      return platform;
    };
    const first = await start();
    const e2e = e2eClient(first);
    const node = await e2e.create({
      name: 'node-pid',
      runtime: NODE,
      code_inline: 'module.exports = async () => process.pid;',
    });
    const python = 'import os\ndef handle(event, context):\n    return str(os.getpid())\n';
    if (hasPython) await e2e.create({ name: 'python-pid', runtime: PYTHON, code_inline: python });
    const faas = openFaasClient(first);
    await faas.deploy({ service: 'program', envProcess: 'cat' });
    await faas.ready('program');
    const names = ['node-pid', ...(hasPython ? ['python-pid'] : [])];
    const pids = await Promise.all(names.map(async (name) => Number((await e2e.ask(name)).text)));
    expect(pids.every(isRunning)).toBe(true);
    await first.kill();
    await eventually(() => !pids.some(isRunning), 'the instances have ended');
    const second = await start();
    const again = e2eClient(second);
    expect(await again.until(node.id, 'Running')).toMatchObject({ name: 'node-pid', version: 'v1' });
    for (const [at, name] of names.entries()) {
      const { status, text } = await again.ask(name);
      expect(status).toBe(200);
      expect(Number(text)).not.toBe(pids[at]);
    }
    expect((await openFaasClient(second).call('/function/program', { body: 'x' })).text).toBe('x');
  });

  it('leaves the asynchronous calls of web functions to the next one, which runs them again', async () => {
    const dataDir = await tempFolder();
    const first = await spawnPlatform(built, { port: 0, dataDir });
    started.push(first);
    const faas = openFaasClient(first);
    await faas.deploy({ service: 'naps', envProcess: 'sleep 1' });
    await faas.ready('naps');
    const ids = await Promise.all(
      Array.from({ length: 6 }, async () =>
        (await faas.call('/async-function/naps')).headers.get('x-call-id'),
      ),
    );
    const stateOf = async (client: typeof faas, id: string | null) =>
      JSON.parse((await client.call(`/async-function/${id}`, { method: 'GET' })).text);
    await eventually(async () => (await stateOf(faas, ids[0] ?? '')).status === 'running', 'the first runs');
    await first.kill();
    const second = await spawnPlatform(built, { port: 0, dataDir });
    started.push(second);
    const again = openFaasClient(second);
    await eventually(
      async () => {
        const states = await Promise.all(ids.map((id) => stateOf(again, id)));
        return states.every(({ status }) => status === 'completed');
      },
      'all have completed',
      30_000,
    );
    const attempts = await Promise.all(ids.map(async (id) => (await stateOf(again, id)).attempts));
    expect(attempts).toContain(2);
    expect(attempts.every((count) => count === 1 || count === 2)).toBe(true);
  });
});
