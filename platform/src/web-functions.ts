/**
 * What the platform does with functions that answer HTTP, whatever door a request came through: create, change, scale,
 * ask, delete.
 */

import { randomUUID } from 'node:crypto';

import type { Attempt, CallTarget } from './calls.js';
import { type CodeSource, codeNameOf, installSource } from './code/code-source.js';
import type { CodeStore } from './code/code-store.js';
import { findHandlerFile } from './code/handler-file.js';
import type { CallReply } from './domain/call.js';
import { messageOf, PlatformError } from './domain/errors.js';
import { replyMetadata, requestOf } from './domain/web-call.js';
import {
  changesWhatRuns,
  type Scale,
  type WebFunction,
  type WebFunctionSpec,
  type WebStatus,
} from './domain/web-function.js';
import { type WebMetrics, WebPool, type WebPoolParts } from './pool/web-pool.js';
import { isStoreFull } from './store/database.js';
import type { SecretStore } from './store/secret-store.js';
import type { WebFunctionStore } from './store/web-function-store.js';

export interface WebFunctionsParts extends WebPoolParts {
  readonly store: WebFunctionStore;
  readonly secrets: SecretStore;
  readonly code: CodeStore;
}

/** What an owner says; the code comes apart from it. */
export type WebFunctionWish = Omit<WebFunctionSpec, 'code'>;

export interface NewWebFunction {
  readonly namespace: string;
  readonly name: string;
  readonly spec: WebFunctionWish;
  readonly source?: CodeSource;
}

const MAX_ASKED_AT_ONCE = 1000;
const SCALE_EVERY_MS = 2000;

export class WebFunctions {
  readonly secrets: SecretStore;
  readonly #parts: WebFunctionsParts;
  readonly #pool: WebPool;
  readonly #collecting = new Set<Promise<void>>();
  #clock: NodeJS.Timeout | undefined;

  constructor(parts: WebFunctionsParts) {
    this.#parts = parts;
    this.secrets = parts.secrets;
    this.#pool = new WebPool(parts);
  }

  /** Starts what was there when the last platform ended. */
  open(): void {
    for (const fn of this.list()) this.#pool.roll(fn);
    this.#clock = setInterval(() => this.#scaleByLoad(), SCALE_EVERY_MS).unref();
  }

  get(id: string): WebFunction | undefined {
    return this.#parts.store.get(id);
  }

  /** @throws PlatformError NOT_FOUND */
  describe(id: string): WebFunction {
    const found = this.get(id);
    if (found !== undefined) return found;
    const details = { id: id.slice(0, 80) };
    throw new PlatformError('NOT_FOUND', `There is no function ${details.id}.`, { details });
  }

  find(namespace: string, name: string): WebFunction | undefined {
    return this.#parts.store.find(namespace, name);
  }

  list(): WebFunction[] {
    return this.#parts.store.list();
  }

  status(id: string): WebStatus {
    return this.#pool.status(id);
  }

  metrics(id: string): WebMetrics {
    return this.#pool.metrics(id);
  }

  /**
   * Answers once the record is on disk; the first instance is being started then.
   * @throws PlatformError CONFLICT, INVALID_PACKAGE, INVALID_CONFIG for a secret that is not there, UNAVAILABLE
   */
  async create({ namespace, name, spec, source }: NewWebFunction): Promise<WebFunction> {
    this.#refuseTaken(namespace, name);
    return this.#install(spec, namespace, source, () => {
      // Nothing waits between here and `put`: of two creations of one name the second sees the first.
      this.#refuseTaken(namespace, name);
      const id = randomUUID();
      const now = new Date().toISOString();
      const code = this.#codeOf(source, undefined);
      const fn: WebFunction = {
        ...spec,
        ...code,
        id,
        namespace,
        name,
        version: 1,
        createdAt: now,
        updatedAt: now,
      };
      this.#put(fn, 'deployed');
      this.#pool.roll(fn);
      return fn;
    });
  }

  /**
   * @param change of what the owner said; what runs is replaced only when it must be
   * @throws PlatformError NOT_FOUND, INVALID_PACKAGE, INVALID_CONFIG, UNAVAILABLE
   */
  async update(
    id: string,
    change: (current: WebFunctionSpec) => WebFunctionWish,
    source?: CodeSource,
  ): Promise<WebFunction> {
    const before = this.describe(id);
    return this.#install(change(before), before.namespace, source, () => {
      // It may have changed while the code was put in place.
      const current = this.describe(id);
      const spec = { ...change(current), ...this.#codeOf(source, current.code) };
      const isNew = changesWhatRuns(current, spec);
      const version = current.version + (isNew ? 1 : 0);
      const fn: WebFunction = { ...current, ...spec, version, updatedAt: new Date().toISOString() };
      this.#put(fn, 'changed');
      if (isNew) this.#pool.roll(fn);
      else this.#pool.scale(id, fn.scale.replicas);
      if (current.code !== undefined && current.code !== fn.code) this.#collect(current.code);
      return fn;
    });
  }

  /** Starts fresh instances of the same version. @throws PlatformError NOT_FOUND */
  redeploy(id: string): WebFunction {
    const fn = this.describe(id);
    this.#parts.functionLogs.note(id, 'deployed again');
    this.#pool.roll(fn);
    return fn;
  }

  /** @throws PlatformError NOT_FOUND, UNAVAILABLE */
  scale(id: string, change: Partial<Scale>): WebFunction {
    const before = this.describe(id);
    const fn: WebFunction = { ...before, scale: { ...before.scale, ...change } };
    this.#put(fn, `scaled to ${fn.scale.replicas}`);
    this.#pool.scale(id, fn.scale.replicas);
    return fn;
  }

  /** Running requests finish. @throws PlatformError NOT_FOUND */
  delete(id: string): void {
    const { code, name } = this.describe(id);
    this.#parts.store.delete(id);
    this.#pool.remove(id);
    this.#parts.functionLogs.forget(id);
    this.#parts.log('info', 'undeployed', { functionId: id, name });
    if (code !== undefined) this.#collect(code);
  }

  /** The functions that name a secret. */
  usersOf(namespace: string, secret: string): WebFunction[] {
    return this.list().filter((fn) => fn.namespace === namespace && fn.secrets.includes(secret));
  }

  /** Undefined for what is no web function. */
  targetOf(id: string): CallTarget | undefined {
    const fn = this.get(id);
    if (fn === undefined) return undefined;
    return {
      lane: 'warm',
      maxConcurrency: MAX_ASKED_AT_ONCE,
      timeoutSecs: fn.limits.timeoutSecs,
      run: (attempt, signal) => this.#ask(fn, attempt, signal),
    };
  }

  /**
   * What the queue goes by: as many as the instances that are there can take, since it can wait and need not be refused.
   * Undefined for what is no web function.
   */
  queueTargetOf(id: string): Pick<CallTarget, 'lane' | 'maxConcurrency'> | undefined {
    const fn = this.get(id);
    if (fn === undefined) return undefined;
    const { maxInflight = MAX_ASKED_AT_ONCE } = fn.limits;
    return { lane: 'warm', maxConcurrency: maxInflight * Math.max(1, this.status(id).ready) };
  }

  /** Ends every instance; calls must have ended before. */
  async close(): Promise<void> {
    clearInterval(this.#clock);
    await this.#pool.close();
    await Promise.all(this.#collecting);
  }

  async #ask({ id, scale }: WebFunction, attempt: Attempt, signal: AbortSignal): Promise<CallReply> {
    const isCold = this.#pool.sleeps(id);
    if (isCold) this.scale(id, { replicas: Math.max(1, scale.min) });
    const begunAt = performance.now();
    const { limitMs, onBegin, sink } = attempt;
    const reply = await this.#pool.ask(id, {
      request: requestOf(attempt.request),
      limitMs,
      signal,
      onBegin,
      ...(sink !== undefined && { sink }),
    });
    const executionMs = performance.now() - begunAt;
    return { result: reply.body, metadata: replyMetadata(reply), executionMs, coldStart: isCold };
  }

  #scaleByLoad(): void {
    for (const { id, scale } of this.list()) {
      const replicas = this.#pool.wantedBy(id, scale);
      if (replicas === undefined || replicas === scale.replicas) continue;
      try {
        this.scale(id, { replicas });
      } catch (error) {
        this.#parts.log('error', 'not-scaled', { functionId: id, error: messageOf(error) });
      }
    }
  }

  /** Checks what is asked for, puts the code in place and lets `commit` write the record. */
  async #install(
    { secrets, program }: WebFunctionWish,
    namespace: string,
    source: CodeSource | undefined,
    commit: () => WebFunction,
  ): Promise<WebFunction> {
    for (const secret of secrets) {
      if (await this.secrets.has(namespace, secret)) continue;
      throw new PlatformError(
        'INVALID_CONFIG',
        `There is no secret ${secret} in ${namespace}. Create it first.`,
        {
          details: { field: 'secrets', secret },
        },
      );
    }
    if (source === undefined) return commit();
    const { code } = this.#parts;
    const name = codeNameOf(source);
    code.hold(name);
    try {
      await installSource(source, code);
      if (program.kind === 'managed') await findHandlerFile(code.pathOf(name), program.language);
      return commit();
    } finally {
      await code.release(name).catch((error) => this.#complain(name, error));
    }
  }

  #codeOf(source: CodeSource | undefined, kept: string | undefined): { readonly code?: string } {
    const code = source === undefined ? kept : codeNameOf(source);
    return code === undefined ? {} : { code };
  }

  #put(fn: WebFunction, what: string): void {
    try {
      this.#parts.store.put(fn);
    } catch (cause) {
      if (!isStoreFull(cause)) throw cause;
      const message = 'The disk of the data folder is full; nothing was changed.';
      throw new PlatformError('UNAVAILABLE', message, { retryAfterSecs: 60, cause });
    }
    this.#parts.functionLogs.note(fn.id, what);
    const { id: functionId, name, namespace, version } = fn;
    this.#parts.log('info', 'web-function', { functionId, name, namespace, version, what });
  }

  #refuseTaken(namespace: string, name: string): void {
    const there = this.find(namespace, name);
    if (there === undefined) return;
    throw new PlatformError('CONFLICT', `There is a function ${name} in ${namespace} already.`, {
      details: { id: there.id },
    });
  }

  /** Code that cannot be removed now is only left for the sweep of the next start. */
  #collect(name: string): void {
    const work = this.#parts.code
      .collect(name)
      .catch((error) => this.#complain(name, error))
      .finally(() => this.#collecting.delete(work));
    this.#collecting.add(work);
  }

  #complain(name: string, error: unknown): void {
    this.#parts.log('warn', 'code-not-removed', { sha256: name, error: messageOf(error) });
  }
}
