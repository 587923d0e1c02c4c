/** Runs real artifacts: unpacked into a folder, started as a platform would start them. */
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import JSZip from 'jszip';
import { onTestFinished } from 'vitest';
import type { Artifact } from '../../src/packaging/index.js';

/** An empty folder that is removed after the test. */
export async function tempFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'jobferry-packaging-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes files below a new folder and returns the path of the first. */
export async function project(files: Record<string, string>, folder?: string): Promise<string> {
  const root = folder ?? (await tempFolder());
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return join(root, Object.keys(files)[0] as string);
}

/** Unpacks an artifact and returns the path of its bootstrap. */
export async function unpack(artifact: Artifact, into?: string): Promise<string> {
  const folder = into ?? (await tempFolder());
  const zip = await JSZip.loadAsync(artifact.bytes);
  for (const [path, file] of Object.entries(zip.files)) {
    await writeFile(join(folder, path), await file.async('uint8array'));
    await chmod(join(folder, path), Number(file.unixPermissions) & 0o777);
  }
  return join(folder, 'bootstrap');
}

export interface Run {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface Running {
  readonly pid: number;
  readonly stdout: Readable;
  readonly ended: Promise<Run>;
  kill(): void;
}

/** Starts an executable with the clean environment that platforms give. */
export function start(path: string, stdin: string | Buffer, env: Record<string, string> = {}): Running {
  const nodeFolder = dirname(process.execPath);
  const child = spawn(path, { cwd: dirname(path), env: { PATH: `${nodeFolder}:/usr/bin:/bin`, ...env } });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.stdin.on('error', () => {}); // a function may end without reading its input
  child.stdin.end(stdin);
  const ended = new Promise<Run>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() });
    });
  });
  return { pid: child.pid as number, stdout: child.stdout, ended, kill: () => child.kill('SIGKILL') };
}

export interface Answer {
  readonly result: number[];
  readonly success?: boolean;
  readonly metadata?: Record<string, string>;
  readonly error?: string;
  readonly error_name?: string;
  readonly error_stack?: string;
}

export function request(jobId: number, input: unknown, more: object = {}): string {
  return JSON.stringify({ job_id: jobId, args: [...Buffer.from(JSON.stringify(input))], ...more });
}

/** One call over stdin and stdout. `value` reads the result as JSON. */
export async function call(bootstrap: string, stdin: string | Buffer) {
  const { code, stdout, stderr } = await start(bootstrap, stdin).ended;
  const answer = JSON.parse(stdout.toString()) as Answer;
  return {
    code,
    answer,
    stderr,
    get value(): unknown {
      return JSON.parse(Buffer.from(answer.result).toString());
    },
  };
}
