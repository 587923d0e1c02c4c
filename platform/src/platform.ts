/** Puts the platform together and takes it apart again. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { isLoopback } from './api/host-check.js';
import { type OpenFaasOptions, openFaasSettings, requireNamespace } from './api/openfaas/settings.js';
import { requirePublicUrl } from './api/public-url.js';
import { startServer } from './api/server.js';
import { chooseGuard } from './auth/key-guard.js';
import { keyFolder } from './auth/keys.js';
import { CodeStore } from './code/code-store.js';
import { messageOf } from './domain/errors.js';
import { type PlatformLimits, resolveLimits } from './domain/limits.js';
import { createLog, type LogLine } from './domain/log.js';
import { Engine } from './engine.js';
import type { ScalerOptions } from './pool/scaler.js';
import { DEFAULT_PRESTART, type StartAheadOptions } from './pool/started-ahead.js';
import { type RuntimeStats, StdioRuntime } from './pool/stdio-runtime.js';
import { Callbacks, LOOPBACK_HOSTS } from './queue/callbacks.js';
import { Idempotency } from './queue/idempotency.js';
import { InvocationQueue } from './queue/invocation-queue.js';
import { invocationStoreOn } from './queue/invocation-store.js';
import { keptOutcomesOn } from './queue/kept-outcomes.js';
import { Storage } from './queue/storage.js';
import { chooseSandbox, chooseTrees, type SandboxChoice, type TreeChoice } from './runtimes/isolation.js';
import type { Isolation } from './runtimes/process-tree.js';
import { Spawner } from './runtimes/spawner.js';
import { startWatchdog } from './runtimes/watchdog.js';
import { callbackStoreOn } from './store/callback-store.js';
import { dataFolderAt, makeRoot, prepareFolders } from './store/data-folder.js';
import { openDatabase, storedBytesIn } from './store/database.js';
import { FunctionLogs } from './store/function-logs.js';
import { functionStoreOn } from './store/function-store.js';
import { GroupCommit } from './store/group-commit.js';
import { webFunctionStoreOn } from './store/web-function-store.js';
import { openWebFunctions } from './web-runtime.js';

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
  /**
   * What URLs in answers begin with, such as `https://faas.example.org`, for a platform behind a proxy. Default: `http://`
   * and what the caller says in its Host header.
   */
  readonly publicUrl?: string;
  /**
   * Calls that run at once over all functions; default twice the processor cores. Asynchronous ones take three quarters
   * at most.
   */
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
  /** Requests to web functions that run at once over all of them; default 256. Asynchronous ones take a quarter at most. */
  readonly webConcurrency?: number;
  /** How long an instance of a web function may take to load its code, in milliseconds; default 60 000. */
  readonly startMs?: number;
  /** Of functions and secrets that come through the E2E door without one; default `e2e-faas-local`. */
  readonly namespace?: string;
  /** Where keys are demanded: may anybody call web functions without one? Default false. */
  readonly publicFunctions?: boolean;
  readonly openfaas?: OpenFaasOptions;
  /**
   * Hosts that asynchronous calls may be told to call back: names, with a port or without, or `*` for all. Default: this
   * machine on a loopback address, else none.
   */
  readonly callbackHosts?: readonly string[];
  /** How web functions follow their load; default 5 requests a second for each instance, down after 20 s. */
  readonly scaler?: Partial<ScalerOptions>;
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
  const namespace = requireNamespace(options.namespace ?? 'e2e-faas-local');
  const openfaas = openFaasSettings(options.openfaas);
  const publicUrl = options.publicUrl === undefined ? undefined : requirePublicUrl(options.publicUrl);
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
    const webStore = webFunctionStoreOn(database);
    const trees = chooseTrees(folder, options.processTree);
    cleanup.push(() => trees.close());
    const { sandbox, isolation } = await chooseSandbox(trees, options.isolation);
    await trees.sweep();
    await prepareFolders(folder);
    cleanup.push(() => rm(folder.ownCalls, { recursive: true, force: true }));
    const code = new CodeStore(
      folder,
      limits,
      (sha256) => store.usesCode(sha256) || webStore.usesCode(sha256),
    );
    await code.sweep();
    const watchdog = startWatchdog(trees.watchdogScript, (error) =>
      log('warn', 'no-watchdog', { error: messageOf(error) }),
    );
    cleanup.push(() => watchdog.close());
    const concurrency = options.concurrency ?? 2 * availableParallelism();
    const { webConcurrency = 256 } = options;
    const spawner = new Spawner(log);
    const prestart = { ...DEFAULT_PRESTART, ...options.prestart };
    const parts = { folder, code, trees, sandbox, isolation, spawner, limits, prestart, log };
    const runtime = new StdioRuntime(parts);
    cleanup.push(() => runtime.close());
    await runtime.open();
    const functionLogs = new FunctionLogs(limits.logRetentionLines);
    const queueSize = options.queueSize ?? 1000;
    const {
      web,
      interpreters,
      close: closeWeb,
    } = openWebFunctions({
      ...parts,
      store: webStore,
      functionLogs,
      startMs: options.startMs ?? 60_000,
      scaler: options.scaler,
    });
    cleanup.push(closeWeb);
    const engine = new Engine({
      store,
      code,
      runtime,
      limits,
      concurrency: { process: concurrency, warm: webConcurrency },
      queueSize,
      functionLogs,
      otherTarget: (functionId) => web.targetOf(functionId),
      log,
    });
    const invocations = invocationStoreOn(database);
    const kept = keptOutcomesOn(database);
    const disk = new GroupCommit(database);
    const storage = new Storage({
      invocations,
      kept,
      disk,
      storedBytes: storedBytesIn(database),
      limits,
      log,
    });
    cleanup.push(() => storage.close());
    const queue = new InvocationQueue({
      calls: engine.calls,
      invocations,
      disk,
      storage,
      limits,
      // A backlog must leave room for those who wait for their answers; a single place is shared in turns.
      concurrency: {
        process: Math.max(1, concurrency - Math.ceil(concurrency / 4)),
        warm: Math.ceil(webConcurrency / 4),
      },
      maxPending: options.asyncQueueSize ?? 10_000,
      onEnd: (invocationId) => callbacks.onEnd(invocationId),
      targetOf: (functionId) => web.queueTargetOf(functionId) ?? engine.targetOf(functionId),
      log,
    });
    const callbacks = new Callbacks({
      store: callbackStoreOn(database),
      find: (invocationId) => queue.find(invocationId),
      nameOf: (functionId) => {
        const fn = web.get(functionId);
        return fn === undefined ? functionId : `${fn.name}.${fn.namespace}`;
      },
      hosts: options.callbackHosts ?? (isLoopback(host) ? LOOPBACK_HOSTS : []),
      userAgent: `jobferry-platform/${packageVersion()}`,
      log,
    });
    cleanup.push(() => callbacks.close());
    const idempotency = new Idempotency({ kept, invocations, disk, storage, limits, log });
    await queue.recover();
    const stopping = new AbortController();
    const server = await startServer(
      host,
      port,
      {
        engine,
        web,
        interpreters,
        namespace,
        publicFunctions: options.publicFunctions ?? false,
        openfaas,
        publicUrl,
        callbacks,
        queue,
        idempotency,
        guard,
        version: packageVersion(),
        build: buildHash(),
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
    web.open();
    queue.start();
    callbacks.recover();
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

/** Names this build by what it consists of, where a version number alone says too little. */
function buildHash(): string {
  return createHash('sha256')
    .update(readFileSync(new URL(import.meta.url)))
    .digest('hex')
    .slice(0, 12);
}

/** package.json stands one folder above this file, in the sources as in the build. */
function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return String((JSON.parse(text) as { version?: unknown }).version);
}
