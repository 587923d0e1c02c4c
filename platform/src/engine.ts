/** What the platform does with functions, whatever door a request came through: deploy, describe, warm, undeploy. */

import { type Attempt, Calls, type CallsParts, type CallTarget } from './calls.js';
import type { CodeStore } from './code/code-store.js';
import type { CallReply } from './domain/call.js';
import { messageOf, PlatformError } from './domain/errors.js';
import type { FunctionConfig } from './domain/function-config.js';
import { etagOf, type FunctionRecord } from './domain/function-record.js';
import type { PlatformLimits } from './domain/limits.js';
import type { Log } from './domain/log.js';
import { type Precondition, requirePrecondition } from './domain/precondition.js';
import type { StdioRuntime } from './pool/stdio-runtime.js';
import type { Isolation } from './runtimes/process-tree.js';
import { isStoreFull } from './store/database.js';
import type { FunctionLogs } from './store/function-logs.js';
import type { FunctionStore } from './store/function-store.js';

export interface EngineParts extends Omit<CallsParts, 'targetOf'> {
  readonly store: FunctionStore;
  readonly code: CodeStore;
  readonly runtime: StdioRuntime;
  readonly limits: PlatformLimits;
  /** Functions of another kind, that calls and the queue serve too. */
  readonly otherTarget: (functionId: string) => CallTarget | undefined;
}

export interface DeployRequest {
  readonly functionId: string;
  readonly zipFile: string;
  readonly sha256: string;
  readonly zipBytes: number;
  readonly config: FunctionConfig;
  readonly replace: boolean;
  readonly precondition: Precondition;
}

export interface FunctionHealth {
  readonly healthy: boolean;
  readonly lastInvocation?: string;
  /** Calls begun since the platform was started. */
  readonly totalInvocations: number;
}

export interface FunctionPage {
  readonly functions: readonly FunctionRecord[];
  /** There is more after this id. */
  readonly next?: string;
}

export class Engine {
  readonly limits: PlatformLimits;
  readonly isolation: Isolation;
  readonly calls: Calls;
  readonly functionLogs: FunctionLogs;
  readonly #store: FunctionStore;
  readonly #code: CodeStore;
  readonly #runtime: StdioRuntime;
  readonly #otherTarget: EngineParts['otherTarget'];
  readonly #log: Log;

  constructor(parts: EngineParts) {
    this.limits = parts.limits;
    this.isolation = parts.runtime.isolation;
    this.functionLogs = parts.functionLogs;
    this.#store = parts.store;
    this.#code = parts.code;
    this.#runtime = parts.runtime;
    this.#log = parts.log;
    this.#otherTarget = parts.otherTarget;
    const targetOf = (functionId: string): CallTarget =>
      this.targetOf(functionId) ?? this.#targetOf(this.describe(functionId));
    this.calls = new Calls({ ...parts, targetOf });
  }

  /** @throws PlatformError NOT_FOUND */
  describe(functionId: string): FunctionRecord {
    const record = this.#store.get(functionId);
    if (record === undefined) {
      throw new PlatformError('NOT_FOUND', `There is no function ${functionId}. Deploy it first.`, {
        details: { function_id: functionId },
      });
    }
    return record;
  }

  /** One page in the order of the ids, beginning behind `after`. */
  list(limit: number, after: string | undefined): FunctionPage {
    const behind = this.#store
      .list()
      .filter(({ functionId }) => after === undefined || functionId > after)
      .slice(0, limit + 1);
    const functions = behind.slice(0, limit);
    const last = functions.at(-1);
    return { functions, ...(behind.length > limit && last !== undefined && { next: last.functionId }) };
  }

  /** @throws PlatformError PRECONDITION_FAILED */
  requirePrecondition(functionId: string, precondition: Precondition): void {
    const record = this.#store.get(functionId);
    requirePrecondition(precondition, record === undefined ? undefined : etagOf(record), functionId);
  }

  /**
   * Answers once the function can be called. The same zip and configuration again change nothing.
   * @throws PlatformError CONFLICT, PRECONDITION_FAILED, INVALID_PACKAGE, PAYLOAD_TOO_LARGE, UNAVAILABLE
   */
  async deploy(request: DeployRequest): Promise<FunctionRecord> {
    this.refuseWhenClosing();
    this.#existingOrConflict(request);
    this.#code.hold(request.sha256);
    try {
      await this.#code.install(request.zipFile, request.sha256);
      this.refuseWhenClosing();
      // From here to `put` nothing waits, so of two deploys of one function the second sees the first.
      const same = this.#existingOrConflict(request);
      if (same !== undefined) return same;
      const previous = this.#store.get(request.functionId);
      const { functionId, sha256, zipBytes, config } = request;
      const record: FunctionRecord = {
        functionId,
        sha256,
        zipBytes,
        config,
        deployedAt: new Date().toISOString(),
      };
      this.#store.put(record);
      this.#log('info', 'deployed', { functionId, sha256, replaced: previous?.sha256 });
      this.functionLogs.note(functionId, previous === undefined ? 'deployed' : 'replaced');
      if (previous !== undefined) {
        await this.#runtime.forget(functionId);
        await this.#collect(previous.sha256);
      }
      return record;
    } catch (error) {
      throw isStoreFull(error) ? storeFull(error) : error;
    } finally {
      await this.#code.release(request.sha256).catch((error) => this.#complain(request.sha256, error));
    }
  }

  /** Running calls finish. @throws PlatformError NOT_FOUND, PRECONDITION_FAILED, UNAVAILABLE */
  async undeploy(functionId: string, precondition: Precondition = {}): Promise<void> {
    this.refuseWhenClosing();
    const { sha256 } = this.describe(functionId);
    this.requirePrecondition(functionId, precondition);
    try {
      this.#store.delete(functionId);
    } catch (error) {
      throw isStoreFull(error) ? storeFull(error) : error;
    }
    this.calls.forget(functionId);
    this.functionLogs.forget(functionId);
    this.#log('info', 'undeployed', { functionId, sha256 });
    await this.#runtime.forget(functionId);
    await this.#collect(sha256);
  }

  async health(functionId: string): Promise<FunctionHealth> {
    const { sha256 } = this.describe(functionId);
    const healthy = !this.calls.isClosing && (await this.#code.isRunnable(sha256));
    const { total, last } = this.calls.countOf(functionId);
    return { healthy, totalInvocations: total, ...(last !== undefined && { lastInvocation: last }) };
  }

  /** Starts instances ahead of need without running the job. @returns how many wait for a call now */
  async warm(functionId: string): Promise<number> {
    this.refuseWhenClosing();
    const { sha256, config } = this.describe(functionId);
    const protocol = await this.#code.protocolOf(sha256);
    return this.#runtime.warm({ functionId, sha256, config, protocol });
  }

  /** @throws PlatformError UNAVAILABLE */
  refuseWhenClosing(): void {
    this.calls.refuseWhenClosing();
  }

  /** Undefined for a function that is not deployed. */
  targetOf(functionId: string): CallTarget | undefined {
    const record = this.#store.get(functionId);
    return this.#otherTarget(functionId) ?? (record === undefined ? undefined : this.#targetOf(record));
  }

  #targetOf(record: FunctionRecord): CallTarget {
    const { maxConcurrency, timeoutSecs } = record.config;
    return {
      lane: 'process',
      maxConcurrency,
      timeoutSecs,
      run: (attempt, signal) => this.#run(record, attempt, signal),
    };
  }

  /** The version that was chosen stays in place until this call ends. */
  async #run(record: FunctionRecord, attempt: Attempt, signal: AbortSignal): Promise<CallReply> {
    const { functionId, sha256, config } = record;
    this.#code.hold(sha256);
    try {
      const protocol = await this.#code.protocolOf(sha256);
      signal.throwIfAborted();
      attempt.onBegin();
      const version = { functionId, sha256, config, protocol };
      return await this.#runtime.run({ version, ...attempt }, signal);
    } finally {
      await this.#code.release(sha256).catch((error) => this.#complain(sha256, error));
    }
  }

  /** The record when it already is what the request asks for; undefined when there is something to do. */
  #existingOrConflict(request: DeployRequest): FunctionRecord | undefined {
    this.requirePrecondition(request.functionId, request.precondition);
    const existing = this.#store.get(request.functionId);
    if (existing === undefined) return undefined;
    if (etagOf(existing) === etagOf(request)) return existing;
    if (request.replace || request.precondition.ifMatch !== undefined) return undefined;
    throw new PlatformError(
      'CONFLICT',
      `Function ${request.functionId} is deployed with other content. Add ?replace=true to replace it.`,
      { details: { function_id: request.functionId, sha256: existing.sha256, etag: etagOf(existing) } },
    );
  }

  /** The switch has happened: code that cannot be removed now is only left for the sweep of the next start. */
  async #collect(sha256: string): Promise<void> {
    await this.#code.collect(sha256).catch((error) => this.#complain(sha256, error));
  }

  #complain(sha256: string, error: unknown): void {
    this.#log('warn', 'code-not-removed', { sha256, error: messageOf(error) });
  }
}

/** Nothing was changed, since there is no room for it. */
export function storeFull(cause: unknown): PlatformError {
  return new PlatformError('UNAVAILABLE', 'The disk of the data folder is full; nothing was changed.', {
    retryAfterSecs: 60,
    cause,
  });
}
