/**
 * The platform's side of the spawner: starts processes through it, and starts another spawner when one has died. The
 * protocol between the two stands at the head of spawner-process.ts.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Log } from '../domain/log.js';
import type { Launch } from './launch.js';

/** How long a start may take before the spawner counts as stuck. */
const START_PATIENCE_MS = 10_000;
const SPAWNER_FILE = fileURLToPath(new URL(`./spawner-process${extname(import.meta.url)}`, import.meta.url));

export interface SpawnRequest extends Launch {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** `lost`: the spawner died, so nobody knows how the process ended. */
export type ProcessEnd =
  | {
      readonly kind: 'exited';
      readonly exitCode: number | null;
      readonly signal: NodeJS.Signals | null;
      /** Was it given any input before it ended? */
      readonly inputGiven: boolean;
      /** Did it take its whole input? */
      readonly inputRead: boolean;
    }
  | { readonly kind: 'lost' };

export interface SpawnedProcess {
  readonly pid: number;
  readonly stdout: Socket;
  readonly stderr: Socket;
  /** Never rejects. */
  readonly ended: Promise<ProcessEnd>;
  /** Gives the process a line that does not count as input. */
  order(line: string): void;
  /** Gives the process its whole input. Call it once. */
  feed(parts: readonly Uint8Array[]): void;
  /** Kills it if it runs, and lets go of its pipes. */
  kill(): void;
}

interface Running {
  readonly child: ChildProcess;
  readonly socketPath: string;
}

export class Spawner {
  readonly #log: Log;
  #current: Promise<Running> | undefined;
  #isClosing = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Starts the spawner's process ahead of the first use. @throws Error when it does not start */
  async open(): Promise<void> {
    await this.#running();
  }

  /**
   * Starts a process; it waits for its input.
   * @throws Error with the system's code, such as ENOENT or EMFILE, when it was not started
   */
  async spawn(request: SpawnRequest): Promise<SpawnedProcess> {
    const { child, socketPath } = await this.#running();
    const { file, args, cwd, env } = request;
    const id = randomUUID();
    const greetings = [
      { id, end: 'stdout' },
      { id, end: 'stderr' },
      { id, end: 'control', command: { file, args, cwd, env } },
    ];
    const sockets: Socket[] = [];
    try {
      for (const greeting of greetings) sockets.push(greet(socketPath, greeting));
      const [stdout, stderr, control] = sockets as [Socket, Socket, Socket];
      return await this.#started(child, stdout, stderr, control);
    } catch (error) {
      for (const socket of sockets) socket.destroy();
      throw error;
    }
  }

  /** Ends the spawner, and with it every process it started. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const running = await this.#current?.catch(() => undefined);
    if (running === undefined || hasEnded(running.child)) return;
    running.child.ref();
    const ended = once(running.child, 'exit');
    running.child.stdin?.end();
    await ended;
  }

  async #running(): Promise<Running> {
    if (this.#isClosing) throw new Error('the spawner is closed');
    this.#current ??= this.#start();
    try {
      return await this.#current;
    } catch (error) {
      this.#current = undefined;
      throw error;
    }
  }

  async #start(): Promise<Running> {
    const folder = await mkdtemp(join(tmpdir(), 'jobferry-'));
    const socketPath = join(folder, 's');
    try {
      const child = spawn(process.execPath, ['--max-semi-space-size=1', SPAWNER_FILE, socketPath], {
        cwd: '/',
        env: {},
        stdio: ['pipe', 'pipe', 'pipe'],
        detached: true,
      });
      let complaint = '';
      child.stderr.on('data', (chunk: Buffer) => {
        complaint = (complaint + chunk.toString('utf8')).slice(-4096);
      });
      child.stdin.on('error', () => {});
      const ended = new Promise<never>((_, reject) => {
        child.once('error', reject);
        child.once('exit', (exitCode, signal) => {
          this.#current = undefined;
          if (!this.#isClosing) this.#log('error', 'spawner-ended', { exitCode, signal, stderr: complaint });
          reject(new Error(`the spawner ended with ${signal ?? `code ${exitCode}`}`));
        });
      });
      await Promise.race([once(child.stdout, 'data'), ended]);
      ended.catch(() => rm(folder, { recursive: true, force: true }).catch(() => {}));
      // None of its ends keeps the platform's process alive.
      child.unref();
      for (const pipe of child.stdio) if (pipe !== null && pipe !== undefined) (pipe as Socket).unref();
      return { child, socketPath };
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Waits for the first line on `control`; the second, when it comes, ends the process. */
  #started(child: ChildProcess, stdout: Socket, stderr: Socket, control: Socket): Promise<SpawnedProcess> {
    const { promise, resolve, reject } = Promise.withResolvers<SpawnedProcess>();
    const ended = Promise.withResolvers<ProcessEnd>();
    const stuck = setTimeout(() => {
      reject(new Error(`the spawner did not answer in ${START_PATIENCE_MS} ms`));
      child.kill('SIGKILL');
    }, START_PATIENCE_MS);
    for (const socket of [stdout, stderr, control]) socket.on('error', reject);
    const kill = (): void => {
      for (const socket of [control, stdout, stderr]) socket.destroy();
    };
    onLines(control, (line) => {
      const message = JSON.parse(line) as { pid?: number; failed?: string; exitCode?: number | null };
      if (message.failed !== undefined) reject(systemError(message.failed));
      else if (message.pid !== undefined) {
        resolve({
          pid: message.pid,
          stdout,
          stderr,
          ended: ended.promise,
          order: (line) => control.write(`order ${Buffer.byteLength(line) + 1}\n${line}\n`),
          feed: (parts) => feed(control, parts),
          kill,
        });
      } else ended.resolve({ kind: 'exited', ...(message as Omit<ProcessEnd & { kind: 'exited' }, 'kind'>) });
    });
    control.once('close', () => {
      reject(new Error('the spawner ended'));
      ended.resolve({ kind: 'lost' });
    });
    return promise.finally(() => clearTimeout(stuck));
  }
}

function greet(socketPath: string, greeting: object): Socket {
  const socket = connect(socketPath);
  socket.write(`${JSON.stringify(greeting)}\n`);
  return socket;
}

function feed(control: Socket, parts: readonly Uint8Array[]): void {
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  control.cork();
  control.write(`${bytes}\n`);
  for (const part of parts) control.write(part);
  control.write('end\n');
  control.uncork();
}

function onLines(socket: Socket, listener: (line: string) => void): void {
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    const lines = (text + chunk.toString('utf8')).split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) listener(line);
  });
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code} from the system`), { code });
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}
