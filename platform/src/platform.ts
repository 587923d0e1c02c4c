/** Puts the platform together and takes it apart again. */

import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';

import { requireLoopback } from './api/host-check.js';
import { startServer } from './api/server.js';
import { CodeStore } from './code/code-store.js';
import { messageOf } from './domain/errors.js';
import { type PlatformLimits, resolveLimits } from './domain/limits.js';
import { createLog, type LogLine } from './domain/log.js';
import { Engine } from './engine.js';
import { chooseTrees, type TreeChoice } from './runtimes/isolation.js';
import type { Isolation } from './runtimes/process-tree.js';
import { startWatchdog } from './runtimes/watchdog.js';
import { dataFolderAt, makeRoot, prepareFolders } from './store/data-folder.js';
import { openFunctionStore } from './store/function-store.js';

export interface PlatformOptions {
  /** A loopback address; default 127.0.0.1. Others are refused, since there are no keys yet. */
  readonly host?: string;
  /** Default 8080; 0 takes any free port. */
  readonly port?: number;
  /** Where functions are kept; default `.jobferry` in the current folder. One platform at a time. */
  readonly dataDir?: string;
  readonly limits?: Partial<PlatformLimits>;
  /** Calls that run at once over all functions; default twice the processor cores. */
  readonly concurrency?: number;
  /** Calls that may wait over all functions; default 1000. One more is answered 429. */
  readonly queueSize?: number;
  /** How long `close` lets running calls go on, in milliseconds; default 10 000. */
  readonly graceMs?: number;
  readonly log?: (entry: LogLine) => void;
  /** Closes the platform when it aborts. */
  readonly signal?: AbortSignal;
  /** How processes are held together; default `auto`, the strongest this machine has. See `isolation`. */
  readonly processTree?: TreeChoice;
}

export interface Platform extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** What is in force on this machine. */
  readonly isolation: Isolation;
  /** Takes no more work, lets running calls finish within the grace, kills the rest. Twice is fine. */
  close(): Promise<void>;
}

/**
 * Starts a platform; it answers requests when the promise resolves.
 * @throws Error when the address, the data folder or its records cannot be used; nothing stays behind
 */
export async function startPlatform(options: PlatformOptions = {}): Promise<Platform> {
  const { host = '127.0.0.1', port = 8080, graceMs = 10_000, signal } = options;
  requireLoopback(host);
  signal?.throwIfAborted();
  const log = createLog(options.log);
  const limits = resolveLimits(options.limits);
  const cleanup: (() => unknown)[] = [];
  const undo = async (): Promise<void> => {
    for (let step = cleanup.pop(); step !== undefined; step = cleanup.pop()) await step();
  };
  try {
    const folder = dataFolderAt(options.dataDir ?? '.jobferry');
    await makeRoot(folder);
    // The record file's lock comes first: what follows sweeps the folder, and must own it.
    const store = openFunctionStore(folder.recordFile);
    cleanup.push(() => store.close());
    const trees = chooseTrees(folder, options.processTree);
    cleanup.push(() => trees.close());
    await trees.sweep();
    await prepareFolders(folder);
    cleanup.push(() => rm(folder.ownCalls, { recursive: true, force: true }));
    const code = new CodeStore(folder, limits, (sha256) => store.usesCode(sha256));
    await code.sweep();
    const watchdog = startWatchdog(trees.watchdogScript, (error) =>
      log('warn', 'no-watchdog', { error: messageOf(error) }),
    );
    cleanup.push(() => watchdog.close());
    const concurrency = options.concurrency ?? 2 * availableParallelism();
    const engine = new Engine({
      folder,
      store,
      code,
      trees,
      limits,
      concurrency,
      queueSize: options.queueSize ?? 1000,
      log,
    });
    const server = await startServer(
      host,
      port,
      { engine, version: packageVersion(), incomingFolder: folder.incoming },
      log,
    );
    cleanup.push(async () => {
      server.stopAccepting();
      await engine.close(graceMs);
      await server.close();
    });
    const url = `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`;
    let closing: Promise<void> | undefined;
    const close = (): Promise<void> => {
      signal?.removeEventListener('abort', onAbort);
      closing ??= undo().then(() => log('info', 'closed'));
      return closing;
    };
    const onAbort = (): void => {
      close().catch((error) => log('error', 'close-failed', { error: messageOf(error) }));
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
    log('info', 'listening', { url, isolation: trees.isolation, dataDir: folder.path });
    return { url, port: server.port, isolation: trees.isolation, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await undo();
    throw error;
  }
}

/** package.json stands one folder above this file, in the sources as in the build. */
function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return String((JSON.parse(text) as { version?: unknown }).version);
}
