/**
 * The instances of one version of a web function: as many as are wanted, replaced when they end, chosen for each
 * request by how little they have to do.
 */

import { messageOf, PlatformError } from '../domain/errors.js';
import { NotReached } from '../runtimes/call-failures.js';

/** What is kept: an instance that takes requests. */
export interface Replica {
  /** Resolves, with the reason in words, when it can take no request any more. */
  readonly ended: Promise<string>;
  destroy(): Promise<void>;
}

export interface ReplicasOptions<R> {
  /** Resolves when it takes requests. */
  readonly start: (signal: AbortSignal) => Promise<R>;
  readonly replicas: number;
  readonly maxInflight?: number;
}

interface Load {
  /** Requests that are not over, whether somebody waits for them or not. */
  inflight: number;
  /** Those of them whose callers have gone. */
  abandoned: number;
}

interface Lent<R> {
  readonly replica: R;
  readonly load: Load;
}

const RESTART_FIRST_MS = 100;
const RESTART_MOST_MS = 10_000;
/** After so many starts in a row that failed, the version counts as failed, and requests no longer wait for it. */
const FAILED_AFTER = 3;

export class Replicas<R extends Replica> {
  /** Settles with the first instance that is ready, or the reason why there is none. No instance wanted is fine. */
  readonly settled: Promise<void>;
  readonly #options: ReplicasOptions<R>;
  readonly #ready = new Map<R, Load>();
  readonly #leaving = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  readonly #waiters = new Set<() => void>();
  readonly #first = Promise.withResolvers<void>();
  #wanted: number;
  #starting = 0;
  #wasReady = false;
  #failures = 0;
  #reason: string | undefined;
  #restart: NodeJS.Timeout | undefined;

  constructor(options: ReplicasOptions<R>) {
    this.#options = options;
    this.#wanted = options.replicas;
    this.settled = this.#first.promise;
    this.settled.catch(() => {});
    if (this.#wanted === 0) this.#first.resolve();
    this.#fill();
  }

  get wanted(): number {
    return this.#wanted;
  }

  get ready(): number {
    return this.#ready.size;
  }

  get inflight(): number {
    return [...this.#ready.values()].reduce((sum, { inflight }) => sum + inflight, 0);
  }

  /** In words, why none can be started; absent while that may still change by itself. */
  get reason(): string | undefined {
    const hasFailed = this.#wasReady ? this.#failures >= FAILED_AFTER : this.#failures > 0;
    return hasFailed ? this.#reason : undefined;
  }

  all(): R[] {
    return [...this.#ready.keys()];
  }

  scale(replicas: number): void {
    this.#wanted = replicas;
    for (const [replica] of [...this.#ready].slice(replicas)) this.#retire(replica);
    this.#fill();
  }

  /**
   * Waits for an instance and lends it. What it was asked counts as its load until `work` has settled.
   * @param work fails with TIMEOUT when the instance is to be replaced, and with NotReached when another one is to be lent
   * @param signal aborts when the caller gives up; its reason is what this then fails with, at once
   * @throws PlatformError UNAVAILABLE with the reason when none comes, THROTTLED when all have enough to do
   */
  async use<T>(work: (replica: R) => Promise<T>, patienceMs: number, signal: AbortSignal): Promise<T> {
    const giveUpAt = performance.now() + patienceMs;
    for (;;) {
      const lent = await this.#borrow(giveUpAt, signal);
      try {
        return await this.#lend(lent, work, signal);
      } catch (error) {
        if (!(error instanceof NotReached)) throw error;
      }
    }
  }

  /** Takes no more requests; instances leave when their last one has ended, or at once. */
  async close(atOnce = false): Promise<void> {
    this.#wanted = 0;
    clearTimeout(this.#restart);
    this.#closing.abort(new PlatformError('UNAVAILABLE', 'The function was stopped.', { retryAfterSecs: 1 }));
    this.#first.reject(this.#closing.signal.reason);
    for (const [replica] of [...this.#ready]) {
      if (atOnce) this.#drop(replica);
      else this.#retire(replica);
    }
    this.#wake();
    while (this.#leaving.size > 0) await Promise.all(this.#leaving);
  }

  #lend<T>({ replica, load }: Lent<R>, work: (replica: R) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let isAbandoned = false;
    const abandon = (): void => {
      isAbandoned = true;
      load.abandoned++;
      this.#wake();
      reject(signal.reason);
    };
    const onOver = (): void => {
      signal.removeEventListener('abort', abandon);
      load.inflight--;
      if (isAbandoned) load.abandoned--;
      this.#wake();
    };
    signal.addEventListener('abort', abandon, { once: true });
    if (signal.aborted) abandon();
    work(replica).then(
      (answer) => {
        onOver();
        resolve(answer);
      },
      (error) => {
        // What it was asked goes on in it; nobody else shall suffer from that.
        if (error instanceof PlatformError && error.code === 'TIMEOUT') this.#retire(replica, load);
        if (error instanceof NotReached) this.#onEnded(replica, error.message);
        onOver();
        reject(error);
      },
    );
    return promise;
  }

  /** It counts as in use in the same turn in which it is chosen, or others would choose it too. */
  async #borrow(giveUpAt: number, signal: AbortSignal): Promise<Lent<R>> {
    for (;;) {
      signal.throwIfAborted();
      const found = this.#leastBusy();
      if (found !== undefined) {
        found.load.inflight++;
        return found;
      }
      if (this.reason !== undefined || this.#closing.signal.aborted) throw this.#unavailable();
      const leftMs = giveUpAt - performance.now();
      if (leftMs <= 0) throw this.#unavailable();
      await this.#change(leftMs, signal);
    }
  }

  /** @throws PlatformError THROTTLED when there are instances and none has room */
  #leastBusy(): Lent<R> | undefined {
    const [least] = [...this.#ready].toSorted(([, a], [, b]) => a.inflight - b.inflight);
    if (least === undefined) return undefined;
    const [replica, load] = least;
    const { maxInflight = Number.POSITIVE_INFINITY } = this.#options;
    if (load.inflight >= maxInflight) {
      const message = `Concurrent request limit exceeded. Max concurrent requests: ${maxInflight}`;
      throw new PlatformError('THROTTLED', message, {
        retryAfterSecs: 1,
        details: { max_inflight: maxInflight },
      });
    }
    return { replica, load };
  }

  #fill(): void {
    clearTimeout(this.#restart);
    while (!this.#closing.signal.aborted && this.#ready.size + this.#starting < this.#wanted) {
      this.#starting++;
      this.#leave(this.#start());
    }
  }

  async #start(): Promise<void> {
    try {
      // From here on it counts as ready or not at all: what is being destroyed must not stand in for one that is wanted.
      const replica = await this.#options.start(this.#closing.signal).finally(() => this.#starting--);
      // Also one that nobody wants by now has shown that the code runs.
      this.#wasReady = true;
      this.#failures = 0;
      this.#first.resolve();
      if (this.#closing.signal.aborted || this.#ready.size >= this.#wanted) return await replica.destroy();
      this.#ready.set(replica, { inflight: 0, abandoned: 0 });
      replica.ended.then((why) => this.#onEnded(replica, why));
      // Others may have failed before the first one showed that the code can run.
      this.#fill();
    } catch (error) {
      this.#onFailure(reasonOf(error));
      this.#first.reject(error);
    } finally {
      this.#wake();
    }
  }

  #onEnded(replica: R, why: string): void {
    if (!this.#ready.has(replica)) return;
    this.#drop(replica);
    this.#onFailure(why);
    this.#wake();
  }

  /** Code that never loaded is not tried again by itself; what has run once is, ever more slowly. */
  #onFailure(why: string): void {
    this.#reason = why;
    this.#failures++;
    if (!this.#wasReady || this.#closing.signal.aborted) return;
    clearTimeout(this.#restart);
    const pauseMs = Math.min(RESTART_FIRST_MS * 2 ** (this.#failures - 1), RESTART_MOST_MS);
    this.#restart = setTimeout(() => this.#fill(), pauseMs).unref();
  }

  /** Lends it no more, and puts it away when it has nothing to do. */
  #retire(replica: R, load = this.#ready.get(replica)): void {
    if (!this.#ready.delete(replica) || load === undefined) return;
    const idle = async (): Promise<void> => {
      while (load.inflight > load.abandoned) await this.#change(1000);
      await replica.destroy();
    };
    this.#leave(idle());
    this.#fill();
  }

  #drop(replica: R): void {
    this.#ready.delete(replica);
    this.#leave(replica.destroy());
  }

  #leave(departure: Promise<void>): void {
    const left = departure.finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }

  /** Resolves when something has changed, at the latest after so long. */
  async #change(ms: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    const timer = setTimeout(wake, ms);
    this.#waiters.add(wake);
    signal?.addEventListener('abort', wake, { once: true });
    await promise;
    clearTimeout(timer);
    signal?.removeEventListener('abort', wake);
    this.#waiters.delete(wake);
  }

  #wake(): void {
    for (const wake of [...this.#waiters]) wake();
  }

  #unavailable(): PlatformError {
    const reason = this.#reason ?? 'no instance became ready in time';
    return new PlatformError('UNAVAILABLE', `The function has no instance that can answer: ${reason}.`, {
      retryAfterSecs: 1,
      details: { reason },
    });
  }
}

function reasonOf(error: unknown): string {
  const reason = error instanceof PlatformError ? error.details['reason'] : undefined;
  return typeof reason === 'string' ? reason : messageOf(error);
}
