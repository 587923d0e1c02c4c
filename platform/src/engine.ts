/** What the platform does, whatever door a request came through: deploy, describe, warm, undeploy, invoke. */

import { randomUUID } from 'node:crypto';

import type { CodeStore } from './code/code-store.js';
import type { CallReply, CallRequest } from './domain/call.js';
import { type Executed, messageOf, PlatformError } from './domain/errors.js';
import { type FunctionConfig, sameConfig } from './domain/function-config.js';
import type { FunctionRecord } from './domain/function-record.js';
import type { PlatformLimits } from './domain/limits.js';
import type { Log } from './domain/log.js';
import { outOfPatience, Slots } from './pool/slots.js';
import type { Isolation, ProcessTrees } from './runtimes/process-tree.js';
import { runStdio } from './runtimes/stdio.js';
import type { DataFolder } from './store/data-folder.js';
import { type FunctionStore, isStoreFull } from './store/function-store.js';

export interface EngineParts {
  readonly folder: DataFolder;
  readonly store: FunctionStore;
  readonly code: CodeStore;
  readonly trees: ProcessTrees;
  readonly limits: PlatformLimits;
  readonly concurrency: number;
  readonly queueSize: number;
  readonly log: Log;
}

export interface DeployRequest {
  readonly functionId: string;
  readonly zipFile: string;
  readonly sha256: string;
  readonly zipBytes: number;
  readonly config: FunctionConfig;
  readonly replace: boolean;
}

export interface FunctionHealth {
  readonly healthy: boolean;
  readonly lastInvocation?: string;
  /** Calls begun since the platform was started. */
  readonly totalInvocations: number;
}

interface Counter {
  total: number;
  last: string;
}

export class Engine {
  readonly limits: PlatformLimits;
  readonly isolation: Isolation;
  readonly #parts: EngineParts;
  readonly #slots: Slots;
  readonly #counters = new Map<string, Counter>();
  readonly #active = new Map<AbortController, { executed: Executed }>();
  #isClosing = false;
  #onIdle: (() => void) | undefined;

  constructor(parts: EngineParts) {
    this.#parts = parts;
    this.limits = parts.limits;
    this.isolation = parts.trees.isolation;
    this.#slots = new Slots(parts.concurrency, parts.queueSize);
  }

  /** @throws PlatformError NOT_FOUND */
  describe(functionId: string): FunctionRecord {
    const record = this.#parts.store.get(functionId);
    if (record === undefined) {
      throw new PlatformError('NOT_FOUND', `There is no function ${functionId}. Deploy it first.`, {
        details: { function_id: functionId },
      });
    }
    return record;
  }

  /**
   * Answers once the function can be called. The same zip and configuration again change nothing.
   * @throws PlatformError CONFLICT, INVALID_PACKAGE, PAYLOAD_TOO_LARGE, UNAVAILABLE
   */
  async deploy(request: DeployRequest): Promise<FunctionRecord> {
    this.refuseWhenClosing();
    const { store, code, log } = this.#parts;
    this.#existingOrConflict(request);
    code.hold(request.sha256);
    try {
      await code.install(request.zipFile, request.sha256);
      this.refuseWhenClosing();
      // From here to `put` nothing waits, so of two deploys of one function the second sees the first.
      const same = this.#existingOrConflict(request);
      if (same !== undefined) return same;
      const previous = store.get(request.functionId);
      const { functionId, sha256, zipBytes, config } = request;
      const record: FunctionRecord = {
        functionId,
        sha256,
        zipBytes,
        config,
        deployedAt: new Date().toISOString(),
      };
      store.put(record);
      log('info', 'deployed', { functionId, sha256, replaced: previous?.sha256 });
      if (previous !== undefined) await this.#collect(previous.sha256);
      return record;
    } catch (error) {
      throw isStoreFull(error) ? storeFull(error) : error;
    } finally {
      await code.release(request.sha256).catch((error) => this.#complainAboutCode(request.sha256, error));
    }
  }

  /** Running calls finish. @throws PlatformError NOT_FOUND, UNAVAILABLE */
  async undeploy(functionId: string): Promise<void> {
    this.refuseWhenClosing();
    const { store, log } = this.#parts;
    const { sha256 } = this.describe(functionId);
    try {
      store.delete(functionId);
    } catch (error) {
      throw isStoreFull(error) ? storeFull(error) : error;
    }
    this.#counters.delete(functionId);
    log('info', 'undeployed', { functionId, sha256 });
    await this.#collect(sha256);
  }

  async health(functionId: string): Promise<FunctionHealth> {
    const { sha256 } = this.describe(functionId);
    const healthy = !this.#isClosing && (await this.#parts.code.isRunnable(sha256));
    const counter = this.#counters.get(functionId);
    return {
      healthy,
      totalInvocations: counter?.total ?? 0,
      ...(counter !== undefined && { lastInvocation: counter.last }),
    };
  }

  /** How many instances were made warm: none, since this runtime starts a process for each call and keeps none. */
  warm(functionId: string): number {
    this.refuseWhenClosing();
    this.describe(functionId);
    return 0;
  }

  /**
   * Runs one attempt of a call.
   * @param requestId unique over all requests
   * @param onCallerGone registers what to do when nobody waits for the answer any more
   * @throws PlatformError; its `executed` tells whether the function ran
   */
  async invoke(
    functionId: string,
    requestId: string,
    request: CallRequest,
    onCallerGone: (listener: () => void) => void,
  ): Promise<CallReply> {
    this.refuseWhenClosing();
    const arrivedAt = performance.now();
    const call = new AbortController();
    const state: { executed: Executed } = { executed: 'no' };
    this.#active.set(call, state);
    onCallerGone(() =>
      call.abort(new PlatformError('UNAVAILABLE', 'The caller has gone.', { executed: state.executed })),
    );
    try {
      const { maxConcurrency } = this.describe(functionId).config;
      await this.#slots.acquire({
        functionId,
        maxConcurrency,
        patienceMs: request.budgetMs,
        signal: call.signal,
      });
      try {
        const leftMs =
          request.budgetMs === undefined ? undefined : request.budgetMs - (performance.now() - arrivedAt);
        return await this.#run(functionId, requestId, request, leftMs, call.signal, state);
      } finally {
        this.#slots.release(functionId);
      }
    } finally {
      this.#active.delete(call);
      if (this.#active.size === 0) this.#onIdle?.();
    }
  }

  /** @throws PlatformError UNAVAILABLE */
  refuseWhenClosing(): void {
    if (this.#isClosing) throw shuttingDown('no');
  }

  /** Refuses new work, lets running calls finish within the grace, then kills them. */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    for (const [call, { executed }] of this.#active) if (executed === 'no') call.abort(shuttingDown('no'));
    if (this.#active.size === 0) return;
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    const timer = setTimeout(() => {
      for (const call of this.#active.keys()) call.abort(shuttingDown('yes'));
    }, graceMs);
    await idle;
    clearTimeout(timer);
  }

  /** The version is chosen here, when the slot is there; it stays in place until this call ends. */
  async #run(
    functionId: string,
    requestId: string,
    request: CallRequest,
    leftMs: number | undefined,
    signal: AbortSignal,
    state: { executed: Executed },
  ): Promise<CallReply> {
    const { code, folder, limits, trees, log } = this.#parts;
    const { sha256, config } = this.describe(functionId);
    if (leftMs !== undefined && leftMs <= 0) throw outOfPatience();
    const limitMs = Math.min(config.timeoutSecs * 1000, leftMs ?? Number.POSITIVE_INFINITY);
    this.#count(functionId);
    code.hold(sha256);
    state.executed = 'yes';
    try {
      const reply = await runStdio(
        {
          functionId,
          requestId,
          codeFolder: code.pathOf(sha256),
          callsFolder: folder.ownCalls,
          config,
          request,
          limitMs,
          maxResultBytes: limits.maxResultBytes,
          maxTasks: limits.maxTasks,
        },
        trees,
        log,
        signal,
      );
      log('info', 'call', { functionId, requestId, callId: request.callId, executionMs: reply.executionMs });
      return reply;
    } catch (error) {
      log('warn', 'call-failed', { functionId, requestId, callId: request.callId, error: messageOf(error) });
      throw error;
    } finally {
      await code.release(sha256).catch((error) => this.#complainAboutCode(sha256, error));
    }
  }

  #count(functionId: string): void {
    const counter = this.#counters.get(functionId) ?? { total: 0, last: '' };
    counter.total++;
    counter.last = new Date().toISOString();
    this.#counters.set(functionId, counter);
  }

  /** The record when it already is what the request asks for; undefined when there is something to do. */
  #existingOrConflict(request: DeployRequest): FunctionRecord | undefined {
    const existing = this.#parts.store.get(request.functionId);
    if (existing === undefined) return undefined;
    if (existing.sha256 === request.sha256 && sameConfig(existing.config, request.config)) return existing;
    if (request.replace) return undefined;
    throw new PlatformError(
      'CONFLICT',
      `Function ${request.functionId} is deployed with other content. Add ?replace=true to replace it.`,
      { details: { function_id: request.functionId, sha256: existing.sha256 } },
    );
  }

  /** The switch has happened: code that cannot be removed now is only left for the sweep of the next start. */
  async #collect(sha256: string): Promise<void> {
    await this.#parts.code.collect(sha256).catch((error) => this.#complainAboutCode(sha256, error));
  }

  #complainAboutCode(sha256: string, error: unknown): void {
    this.#parts.log('warn', 'code-not-removed', { sha256, error: messageOf(error) });
  }
}

/** A name for one request, also for its process and its folder. */
export function newRequestId(): string {
  return randomUUID();
}

function shuttingDown(executed: Executed): PlatformError {
  const what = executed === 'no' ? 'It takes no more work.' : 'It stopped before the function had finished.';
  return new PlatformError('UNAVAILABLE', `The platform is shutting down. ${what}`, {
    executed,
    retryAfterSecs: 1,
  });
}

function storeFull(cause: unknown): PlatformError {
  return new PlatformError('UNAVAILABLE', 'The disk of the data folder is full; nothing was changed.', {
    retryAfterSecs: 60,
    cause,
  });
}
