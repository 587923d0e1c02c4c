/**
 * Who may run now: so many calls in all, so many of each function, and a bounded line for the others. The line is
 * first come, first served among those whose function has room, so one busy function does not hold up the rest.
 */

import { PlatformError } from '../domain/errors.js';

export interface SlotRequest {
  readonly functionId: string;
  readonly maxConcurrency: number;
  /** How long the caller is willing to stand in line; undefined for as long as it takes. */
  readonly patienceMs: number | undefined;
  /** Leaves the line; the reason is what `acquire` fails with. */
  readonly signal: AbortSignal;
}

interface Waiter {
  readonly request: SlotRequest;
  readonly grant: () => void;
}

export class Slots {
  readonly #total: number;
  readonly #queueSize: number;
  readonly #runningByFunction = new Map<string, number>();
  readonly #line = new Set<Waiter>();
  #running = 0;

  constructor(total: number, queueSize: number) {
    this.#total = total;
    this.#queueSize = queueSize;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#line.size;
  }

  /**
   * Waits for a slot; whoever gets one must `release` it exactly once.
   * @throws PlatformError THROTTLED when the line is full, TIMEOUT when patience ends
   */
  async acquire(request: SlotRequest): Promise<void> {
    request.signal.throwIfAborted();
    if (this.#hasRoom(request)) return this.#take(request.functionId);
    if (this.#line.size >= this.#queueSize) {
      throw new PlatformError(
        'THROTTLED',
        `Too many calls are running and ${this.#line.size} are waiting. Try again later.`,
        {
          retryAfterSecs: 1,
          details: { running: this.#running, waiting: this.#line.size },
        },
      );
    }
    await this.#waitInLine(request);
  }

  release(functionId: string): void {
    this.#running--;
    const left = (this.#runningByFunction.get(functionId) ?? 0) - 1;
    if (left > 0) this.#runningByFunction.set(functionId, left);
    else this.#runningByFunction.delete(functionId);
    this.#grantNext();
  }

  async #waitInLine(request: SlotRequest): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { request, grant: resolve };
    // Whoever gives up leaves the line in the same turn, so that no slot is granted to somebody who has gone.
    const leave = (reason: unknown): void => {
      this.#line.delete(waiter);
      reject(reason);
    };
    const onAbort = (): void => leave(request.signal.reason);
    const timer =
      request.patienceMs === undefined
        ? undefined
        : setTimeout(() => leave(outOfPatience()), request.patienceMs);
    request.signal.addEventListener('abort', onAbort, { once: true });
    this.#line.add(waiter);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      request.signal.removeEventListener('abort', onAbort);
    }
  }

  #grantNext(): void {
    for (const waiter of this.#line) {
      if (this.#running >= this.#total) return;
      if (!this.#hasRoom(waiter.request)) continue;
      this.#line.delete(waiter);
      this.#take(waiter.request.functionId);
      waiter.grant();
    }
  }

  #hasRoom({ functionId, maxConcurrency }: SlotRequest): boolean {
    return this.#running < this.#total && (this.#runningByFunction.get(functionId) ?? 0) < maxConcurrency;
  }

  #take(functionId: string): void {
    this.#running++;
    this.#runningByFunction.set(functionId, (this.#runningByFunction.get(functionId) ?? 0) + 1);
  }
}

/** The caller's time ended before the call began. */
export function outOfPatience(): PlatformError {
  return new PlatformError(
    'TIMEOUT',
    'The time for this call was over before the function could be started.',
    {
      executed: 'no',
    },
  );
}
