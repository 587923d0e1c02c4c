/**
 * Bootstraps started before anybody calls: they wait on stdin, so that the start of an interpreter is paid before
 * the call. Each serves one call, and the next is started when that call has ended.
 *
 * Starting a bootstrap must not run the job, so only those that read their whole input are kept waiting: it is seen
 * at their first call, and one that ends or prints before it is asked is not started ahead again.
 */

import { messageOf } from '../domain/errors.js';
import type { Log } from '../domain/log.js';
import type { FunctionVersion } from '../runtimes/stdio-call.js';

export interface StartAheadOptions {
  /** Instances that wait for each recently used function; default 1. */
  readonly perFunction: number;
  /** Instances that wait in all; default 8, 0 turns this off. The function used longest ago gives way. */
  readonly total: number;
  /** How long after its last use a function keeps its instances, in seconds; default 60. */
  readonly idleSecs: number;
}

export const DEFAULT_PRESTART: StartAheadOptions = { perFunction: 1, total: 8, idleSecs: 60 };

/** What is kept: an instance of one function version. */
export interface Waiting {
  /** Resolves when it can take no call any more. */
  readonly spent: Promise<'ended' | 'killed' | 'printed'>;
  destroy(): Promise<void>;
}

/** An instance that waits, or is being started; undefined when the start failed. */
interface Place<I> {
  readonly instance: Promise<I | undefined>;
}

interface Shelf<I> {
  readonly key: string;
  readonly version: FunctionVersion;
  readonly places: Set<Place<I>>;
  /** Was a call seen that read its whole input? */
  reads: boolean;
  idle: NodeJS.Timeout | undefined;
  /** Those killed from outside since the last call; they are replaced, but not for ever. */
  killed: number;
}

const MAX_KILLED = 3;
/** `warm` looks this long whether the bootstrap does wait. */
const WARM_LOOK_MS = 50;

export class StartedAhead<I extends Waiting> {
  readonly #start: (version: FunctionVersion) => Promise<I>;
  readonly #options: StartAheadOptions;
  readonly #log: Log;
  /** The function used last comes last. */
  readonly #shelves = new Map<string, Shelf<I>>();
  /** Versions, by function, that do not wait for their input. */
  readonly #unfit = new Map<string, string>();
  readonly #leaving = new Set<Promise<void>>();
  #isClosed = false;

  constructor(start: (version: FunctionVersion) => Promise<I>, options: StartAheadOptions, log: Log) {
    this.#start = start;
    this.#options = options;
    this.#log = log;
  }

  /** How many wait or are being started. */
  get waiting(): number {
    return [...this.#shelves.values()].reduce((sum, { places }) => sum + places.size, 0);
  }

  /** A call begins: hands out an instance of exactly its version, which the caller must destroy. */
  async take(version: FunctionVersion): Promise<I | undefined> {
    const shelf = this.#shelfOf(version);
    for (const place of shelf.places) {
      shelf.places.delete(place);
      const instance = await place.instance;
      if (instance !== undefined) return instance;
    }
    return undefined;
  }

  /** The call has ended: starts the next instance if the bootstrap is known to wait for its input. */
  refill(version: FunctionVersion, inputRead: boolean): void {
    const shelf = this.#shelves.get(version.functionId);
    // Replaced or deleted while the call ran.
    if (shelf === undefined || shelf.key !== keyOf(version)) return;
    shelf.reads ||= inputRead;
    shelf.killed = 0;
    if (shelf.reads) this.#fill(shelf);
  }

  /** Starts what is missing. @returns how many wait then; 0 for a bootstrap that does not wait for its input */
  async warm(version: FunctionVersion): Promise<number> {
    const shelf = this.#shelfOf(version);
    this.#fill(shelf);
    await Promise.all([...shelf.places].map(({ instance }) => instance));
    if (shelf.places.size > 0) await new Promise((resolve) => setTimeout(resolve, WARM_LOOK_MS));
    return shelf.places.size;
  }

  /** Resolves when everything that waited for this function is gone. */
  async forget(functionId: string): Promise<void> {
    this.#unfit.delete(functionId);
    this.#clear(functionId);
    await Promise.all(this.#leaving);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const functionId of [...this.#shelves.keys()]) this.#clear(functionId);
    await Promise.all(this.#leaving);
  }

  /** The function's shelf, moved to the end as the one used last; that of an older version is cleared. */
  #shelfOf(version: FunctionVersion): Shelf<I> {
    const { functionId } = version;
    const key = keyOf(version);
    const found = this.#shelves.get(functionId);
    if (found !== undefined && found.key !== key) this.#clear(functionId);
    const shelf: Shelf<I> =
      found?.key === key
        ? found
        : { key, version, places: new Set(), reads: false, idle: undefined, killed: 0 };
    clearTimeout(shelf.idle);
    shelf.idle = setTimeout(() => this.#clear(functionId), this.#options.idleSecs * 1000).unref();
    this.#shelves.delete(functionId);
    this.#shelves.set(functionId, shelf);
    return shelf;
  }

  #fill(shelf: Shelf<I>): void {
    if (this.#isClosed || this.#unfit.get(shelf.version.functionId) === shelf.key) return;
    const wanted = Math.min(this.#options.perFunction, shelf.version.config.maxConcurrency);
    while (shelf.places.size < wanted && this.#makeRoom(shelf)) this.#add(shelf);
  }

  #makeRoom(shelf: Shelf<I>): boolean {
    if (this.waiting < this.#options.total) return true;
    for (const other of this.#shelves.values()) {
      const [place] = other.places;
      if (other === shelf || place === undefined) continue;
      this.#drop(other, place);
      return this.waiting < this.#options.total;
    }
    return false;
  }

  #add(shelf: Shelf<I>): void {
    const { functionId } = shelf.version;
    const started = this.#start(shelf.version).then(
      (instance) => {
        instance.spent.then((why) => this.#onSpent(shelf, place, instance, why));
        return instance;
      },
      (error) => {
        shelf.places.delete(place);
        this.#log('warn', 'not-started-ahead', { functionId, reason: messageOf(error) });
        return undefined;
      },
    );
    const place: Place<I> = { instance: started };
    shelf.places.add(place);
  }

  #onSpent(shelf: Shelf<I>, place: Place<I>, instance: I, why: 'ended' | 'killed' | 'printed'): void {
    // One that was handed out or dropped is nobody's business here.
    if (!shelf.places.delete(place)) return;
    this.#leave(instance.destroy());
    if (why === 'killed') {
      shelf.killed++;
      if (shelf.killed <= MAX_KILLED) this.#fill(shelf);
      return;
    }
    const { functionId } = shelf.version;
    this.#unfit.set(functionId, shelf.key);
    this.#log('warn', 'not-started-ahead', {
      functionId,
      reason: `the bootstrap ${why} before it was asked`,
    });
  }

  #clear(functionId: string): void {
    const shelf = this.#shelves.get(functionId);
    if (shelf === undefined) return;
    clearTimeout(shelf.idle);
    this.#shelves.delete(functionId);
    for (const place of shelf.places) this.#drop(shelf, place);
  }

  #drop(shelf: Shelf<I>, place: Place<I>): void {
    shelf.places.delete(place);
    this.#leave(place.instance.then((instance) => instance?.destroy()));
  }

  #leave(departure: Promise<void>): void {
    const left = departure.finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }
}

function keyOf({ functionId, sha256, config }: FunctionVersion): string {
  return JSON.stringify([functionId, sha256, config]);
}
