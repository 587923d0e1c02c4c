/** Runs the built command as a user would. `npm test` builds it before. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The last line of stdout. */
  readonly json: () => Record<string, unknown>;
}

export interface CliOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export function startCli(
  args: readonly string[],
  { env = {}, cwd = tmpdir() }: CliOptions = {},
): ChildProcess {
  // From empty: no key and no address of the machine's own may reach the tests.
  return spawn(process.execPath, [main, ...args], { cwd, env: { PATH: process.env['PATH'] ?? '', ...env } });
}

export function ended(child: ChildProcess): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve) => {
    child.on('close', (code) => {
      resolve({
        code,
        stdout,
        stderr,
        json: () => JSON.parse(stdout.trimEnd().split('\n').at(-1) as string),
      });
    });
  });
}

export async function cli(args: readonly string[], options: CliOptions = {}): Promise<Ended> {
  const child = startCli(args, options);
  const result = ended(child);
  child.stdin?.on('error', () => {}); // a command that fails early reads nothing
  child.stdin?.end(options.stdin ?? '');
  return await result;
}

export interface Dev extends AsyncDisposable {
  readonly url: string;
  readonly child: ChildProcess;
}

/** `jobferry dev` on a free port. */
export async function startDev(dataDir: string, ...options: readonly string[]): Promise<Dev> {
  const child = startCli(['dev', '--port', '0', '--data', dataDir, ...options]);
  child.stderr?.pipe(process.stderr);
  const url = await readyUrl(child);
  return {
    url,
    child,
    async [Symbol.asyncDispose]() {
      const over = ended(child);
      if (child.exitCode === null && child.kill('SIGTERM')) await over;
    },
  };
}

/** Waits for the first line that `dev` prints. */
export async function readyUrl(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('The command has no stdout.');
  for await (const line of createInterface({ input: child.stdout })) {
    return line.replace('jobferry platform ready on ', '');
  }
  throw new Error('jobferry dev ended before it was ready.');
}

/** A new folder with files in it; the caller removes it. */
export async function folderWith(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'jobferry-cli-'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}
