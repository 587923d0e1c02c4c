/** Puts the platform together and takes it apart again. */

import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';

import { isLoopback } from './api/host-check.js';
import { startServer } from './api/server.js';
import { chooseGuard } from './auth/key-guard.js';
import { keyFolder } from './auth/keys.js';
import { CodeStore } from './code/code-store.js';
import { messageOf } from './domain/errors.js';
import { type PlatformLimits, resolveLimits } from './domain/limits.js';
import { createLog, type LogLine } from './domain/log.js';
import { Engine } from './engine.js';
import { DEFAULT_PRESTART, type StartAheadOptions } from './pool/started-ahead.js';
import { type RuntimeStats, StdioRuntime } from './pool/stdio-runtime.js';
import { Idempotency } from './queue/idempotency.js';
import { InvocationQueue } from './queue/invocation-queue.js';
import { invocationStoreOn } from './queue/invocation-store.js';
import { keptOutcomesOn } from './queue/kept-outcomes.js';
import { Storage } from './queue/storage.js';
import { chooseSandbox, chooseTrees, type SandboxChoice, type TreeChoice } from './runtimes/isolation.js';
import type { Isolation } from './runtimes/process-tree.js';
import { Spawner } from './runtimes/spawner.js';
import { startWatchdog } from './runtimes/watchdog.js';
import { dataFolderAt, makeRoot, prepareFolders } from './store/data-folder.js';
import { openDatabase } from './store/database.js';
import { FunctionLogs } from './store/function-logs.js';
import { functionStoreOn } from './store/function-store.js';
import { GroupCommit } from './store/group-commit.js';

export interface PlatformOptions {
  /** Default 127.0.0.1. An address that other machines can reach demands keys; see `createKey`. */
  readonly host?: string;
  /** Default 8080; 0 takes any free port. */
  readonly port?: number;
  /** Where functions are kept; default `.jobferry` in the current folder. One platform at a time. */
  readonly dataDir?: string;
  readonly limits?: Partial<PlatformLimits>;
  /** Must every request carry a key? Default: only where other machines can reach the address, and there always. */
  readonly requireKey?: boolean;
  /** Calls that run at once over all functions; default twice the processor cores. */
  readonly concurrency?: number;
  /** Calls that may wait over all functions; default 1000. One more is answered 429. */
  readonly queueSize?: number;
  /** Asynchronous calls that may wait on disk; default 10 000. One more is answered 429, not 202. */
  readonly asyncQueueSize?: number;
  /** How long `close` lets running calls go on, in milliseconds; default 10 000. */
  readonly graceMs?: number;
  readonly log?: (entry: LogLine) => void;
  /** Closes the platform when it aborts. */
  readonly signal?: AbortSignal;
  /**
   * Bubblewrap around functions: default `best-effort`, used where it is installed and works; `required` refuses to
   * start without it. What is in force stands in the platform's `isolation`.
   */
  readonly isolation?: SandboxChoice;
  /** How processes are held together; default `auto`, the strongest this machine has. */
  readonly processTree?: TreeChoice;
  /** Bootstraps kept waiting for the next call of recently used functions; `{ total: 0 }` keeps none. */
  readonly prestart?: Partial<StartAheadOptions>;
}

export interface Platform extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** What is in force on this machine. */
  readonly isolation: Isolation;
  /** How calls ended, and what waits for the next. */
  stats(): RuntimeStats;
  /** Takes no more work, lets running calls finish within the grace, kills the rest. Twice is fine. */
  close(): Promise<void>;
}

/**
 * Starts a platform; it answers requests when the promise resolves.
 * @throws Error when the address, the data folder or its records cannot be used, or keys are demanded and there
 *   is none; nothing stays behind
 */
export async function startPlatform(options: PlatformOptions = {}): Promise<Platform> {
  const { host = '127.0.0.1', port = 8080, graceMs = 10_000, signal } = options;
  signal?.throwIfAborted();
  const log = createLog(options.log);
  const limits = resolveLimits(options.limits);
  const cleanup: (() => unknown)[] = [];
  const undo = async (): Promise<void> => {
    for (let step = cleanup.pop(); step !== undefined; step = cleanup.pop()) await step();
  };
  try {
    const folder = dataFolderAt(options.dataDir ?? '.jobferry');
    const keys = keyFolder({ dataDir: folder.path });
    const guard = await chooseGuard(folder.path, keys, !isLoopback(host), options.requireKey, log);
    await makeRoot(folder);
    // The record file's lock comes first: what follows sweeps the folder, and must own it.
    const database = openDatabase(folder.recordFile);
    cleanup.push(() => database.close());
    const store = functionStoreOn(database);
    const trees = chooseTrees(folder, options.processTree);
    cleanup.push(() => trees.close());
    const { sandbox, isolation } = await chooseSandbox(trees, options.isolation);
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
    const spawner = new Spawner(log);
    const prestart = { ...DEFAULT_PRESTART, ...options.prestart };
    const parts = { folder, code, trees, sandbox, isolation, spawner, limits, prestart, log };
    const runtime = new StdioRuntime(parts);
    cleanup.push(() => runtime.close());
    await runtime.open();
    const functionLogs = new FunctionLogs(limits.logRetentionLines);
    const queueSize = options.queueSize ?? 1000;
    const engine = new Engine({ store, code, runtime, limits, concurrency, queueSize, functionLogs, log });
    const invocations = invocationStoreOn(database);
    const kept = keptOutcomesOn(database);
    const disk = new GroupCommit(database);
    const storage = new Storage({ invocations, kept, disk, limits, log });
    cleanup.push(() => storage.close());
    const queue = new InvocationQueue({
      calls: engine.calls,
      invocations,
      disk,
      storage,
      limits,
      concurrency,
      maxPending: options.asyncQueueSize ?? 10_000,
      maxConcurrencyOf: (functionId) => store.get(functionId)?.config.maxConcurrency,
      log,
    });
    const idempotency = new Idempotency({ kept, invocations, disk, storage, limits, log });
    await queue.recover();
    const stopping = new AbortController();
    const server = await startServer(
      host,
      port,
      {
        engine,
        queue,
        idempotency,
        guard,
        version: packageVersion(),
        incomingFolder: folder.incoming,
        stopping: stopping.signal,
      },
      log,
    );
    cleanup.push(async () => {
      server.stopAccepting();
      stopping.abort();
      queue.stop();
      await engine.calls.close(graceMs);
      await queue.settled();
      await server.close();
      disk.flush();
    });
    queue.start();
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
    log('info', 'listening', { url, isolation, dataDir: folder.path });
    return {
      url,
      port: server.port,
      isolation,
      stats: () => runtime.stats(),
      close,
      [Symbol.asyncDispose]: close,
    };
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
