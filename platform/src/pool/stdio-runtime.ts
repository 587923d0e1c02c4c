/** What the engine knows of running code: run a call, keep instances waiting, forget a function. */

import type { CallReply } from '../domain/call.js';
import { type ErrorCode, PlatformError } from '../domain/errors.js';
import { Berths } from '../runtimes/berth.js';
import { notStarted } from '../runtimes/call-failures.js';
import { Instance, type InstanceParts, NeverAsked } from '../runtimes/instance.js';
import type { Isolation } from '../runtimes/process-tree.js';
import type { Spawner } from '../runtimes/spawner.js';
import type { FunctionVersion, StdioCall } from '../runtimes/stdio-call.js';
import type { DataFolder } from '../store/data-folder.js';
import { type StartAheadOptions, StartedAhead } from './started-ahead.js';

export interface StdioRuntimeParts extends Omit<InstanceParts, 'berths'> {
  readonly folder: DataFolder;
  readonly spawner: Spawner;
  readonly isolation: Isolation;
  readonly prestart: StartAheadOptions;
}

/** Counted since the platform was started. */
export interface RuntimeStats {
  /** How calls that reached the runtime ended. */
  readonly outcomes: Readonly<Partial<Record<ErrorCode | 'OK', number>>>;
  /** Calls that found an instance waiting. */
  readonly servedAhead: number;
  /** Instances that wait for a call now. */
  readonly waiting: number;
  /** Berths that are ready for whatever is started next. */
  readonly ready: number;
}

/** Berths kept ready for cold calls and for what is started ahead. */
const READY_BERTHS = 2;

export class StdioRuntime {
  readonly isolation: Isolation;
  readonly #spawner: Spawner;
  readonly #berths: Berths;
  readonly #instanceParts: InstanceParts;
  readonly #ahead: StartedAhead<Instance>;
  readonly #outcomes: Partial<Record<ErrorCode | 'OK', number>> = {};
  /** Instances whose call has been answered. */
  readonly #ending = new Set<Promise<void>>();
  #servedAhead = 0;

  constructor(parts: StdioRuntimeParts) {
    this.isolation = parts.isolation;
    this.#spawner = parts.spawner;
    const { folder, spawner, trees, sandbox, limits, log } = parts;
    const { maxTasks } = limits;
    const berthParts = { trees, sandbox, spawner, callsFolder: folder.ownCalls, maxTasks, log };
    this.#berths = new Berths(berthParts, READY_BERTHS);
    this.#instanceParts = { ...parts, berths: this.#berths };
    const start = (version: FunctionVersion): Promise<Instance> =>
      Instance.start(version, undefined, this.#instanceParts);
    this.#ahead = new StartedAhead(start, parts.prestart, log);
  }

  /** Makes ready what the first calls need. @throws Error when the spawner does not start */
  async open(): Promise<void> {
    await this.#spawner.open();
    this.#berths.fill();
  }

  /**
   * @param signal ends the call early; its reason must be a PlatformError and is what the call fails with
   * @throws PlatformError; its `executed` tells whether the function ran
   */
  async run(call: StdioCall, signal: AbortSignal): Promise<CallReply> {
    try {
      const reply = (await this.#onWaiting(call, signal)) ?? (await this.#onFresh(call, signal));
      this.#count('OK');
      return reply;
    } catch (error) {
      this.#count(error instanceof PlatformError ? error.code : 'INFRASTRUCTURE_ERROR');
      throw error;
    }
  }

  /** Starts instances ahead of need. @returns how many of this version wait for a call then */
  async warm(version: FunctionVersion): Promise<number> {
    return this.#ahead.warm(version);
  }

  /** Ends what waits for calls of a function that was replaced or deleted. */
  async forget(functionId: string): Promise<void> {
    await this.#ahead.forget(functionId);
  }

  stats(): RuntimeStats {
    return {
      outcomes: { ...this.#outcomes },
      servedAhead: this.#servedAhead,
      waiting: this.#ahead.waiting,
      ready: this.#berths.ready,
    };
  }

  /** Ends what waits; calls must have ended before. */
  async close(): Promise<void> {
    await Promise.all(this.#ending);
    await this.#ahead.close();
    await this.#berths.close();
    await this.#spawner.close();
  }

  /** Undefined when nothing waits for this call. */
  async #onWaiting(call: StdioCall, signal: AbortSignal): Promise<CallReply | undefined> {
    const arrivedAt = performance.now();
    const instance = await this.#ahead.take(call.version);
    if (instance === undefined) return undefined;
    this.#servedAhead++;
    try {
      return await this.#use(instance, call, arrivedAt, signal);
    } catch (error) {
      if (!(error instanceof NeverAsked)) throw error;
      this.#servedAhead--;
      return undefined;
    }
  }

  async #onFresh(call: StdioCall, signal: AbortSignal): Promise<CallReply> {
    const arrivedAt = performance.now();
    for (let tries = 1; ; tries++) {
      const instance = await Instance.start(call.version, call, this.#instanceParts);
      try {
        return await this.#use(instance, call, arrivedAt, signal);
      } catch (error) {
        if (!(error instanceof NeverAsked)) throw error;
        // The berth had just died; one made anew has no such excuse.
        if (tries > READY_BERTHS) throw notStarted('its process ended before it was given the call', error);
      }
    }
  }

  /** A result is handed over at once and tidied up after; a failure only when nothing of the call runs any more. */
  async #use(instance: Instance, call: StdioCall, at: number, signal: AbortSignal): Promise<CallReply> {
    const end = async (): Promise<void> => {
      await instance.destroy();
      this.#ahead.refill(call.version, instance.inputRead);
      this.#berths.fill();
    };
    try {
      const reply = await instance.call(call, at, signal);
      const ending = end().finally(() => this.#ending.delete(ending));
      this.#ending.add(ending);
      return reply;
    } catch (error) {
      await end();
      throw error;
    }
  }

  #count(outcome: ErrorCode | 'OK'): void {
    this.#outcomes[outcome] = (this.#outcomes[outcome] ?? 0) + 1;
  }
}
