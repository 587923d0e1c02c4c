/** The built platform in a process of its own, to be killed. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'tsup';

import { type Client, clientOf } from './platform.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface PlatformProcess extends Client {
  readonly url: string;
  readonly child: ChildProcess;
  kill(): Promise<void>;
}

/** Bundles the sources as they are now into `folder`, so that no test runs yesterday's build. */
export async function buildPlatform(folder: string): Promise<string> {
  await build({
    config: false,
    entry: {
      index: `${ROOT}/src/index.ts`,
      'spawner-process': `${ROOT}/src/runtimes/spawner-process.ts`,
      'managed/node-host': `${ROOT}/src/runtimes/managed/node-host.ts`,
      'managed/program-host': `${ROOT}/src/runtimes/managed/program-host.ts`,
    },
    format: 'esm',
    target: 'node22',
    platform: 'node',
    outDir: folder,
    tsconfig: `${ROOT}/../tsconfig.json`,
    removeNodeProtocol: false,
    external: ['yauzl'],
    sourcemap: false,
    clean: false,
    silent: true,
  });
  await cp(`${ROOT}/src/runtimes/managed/python-host.py`, `${folder}/managed/python-host.py`);
  return `${folder}/index.js`;
}

/** @param leftOpen a file that the process inherits as descriptor 251, as from a careless parent */
export async function spawnPlatform(
  built: string,
  options: object,
  leftOpen?: string,
): Promise<PlatformProcess> {
  const script = `
    const { startPlatform } = await import(process.argv[1]);
    const platform = await startPlatform(JSON.parse(process.argv[2]));
    console.log(platform.url);`;
  const args = ['--input-type=module', '-e', script, built, JSON.stringify({ isolation: 'off', ...options })];
  // Node closes low descriptors for its children by itself, but not one behind a gap.
  const command = leftOpen === undefined ? [] : ['bash', '-c', 'exec 251<>"$0"; exec "$@"', leftOpen];
  const [file = '', ...rest] = [...command, process.execPath, ...args];
  const child = spawn(file, rest, {
    env: { PATH: process.env['PATH'] ?? '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  const [url] = (await Promise.race([once(lines, 'line'), once(child, 'exit').then(() => [''])])) as [string];
  if (url === '') throw new Error('the platform did not start');
  return {
    url,
    child,
    ...clientOf(url),
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}
