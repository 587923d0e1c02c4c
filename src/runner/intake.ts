/** Pulls items from several producers, in turn, and only when the runner has room. */

export type ProducerSource<Item> =
  | Iterable<Item>
  | AsyncIterable<Item>
  | (() => Iterable<Item> | AsyncIterable<Item>);

export interface ProducerOptions {
  /** Shown in events. Default `producer-1`, `producer-2`, … */
  readonly name?: string;
  /**
   * Start a producer that threw again, with doubling waits. Needs a function as source, since an iterator that
   * threw is over. Default: it stays closed.
   */
  readonly restart?: {
    readonly attempts: number;
    readonly minDelayMs?: number;
    readonly maxDelayMs?: number;
  };
}

export interface ProducerSpec {
  readonly name: string;
  readonly source: ProducerSource<unknown>;
  readonly restart: ProducerOptions['restart'];
}

interface IntakeListener {
  /** An item can be taken now, or the last producer has ended. */
  onReady(): void;
  onProducerError(producer: string, error: unknown, restartInMs: number | undefined): void;
  /** An item was pulled, but the intake stopped before anybody took it. */
  onUntaken(item: unknown): void;
}

interface Lane {
  readonly spec: ProducerSpec;
  iterator: Iterator<unknown> | AsyncIterator<unknown> | undefined;
  isAsync: boolean;
  pulling: boolean;
  hasItem: boolean;
  item: unknown;
  restarts: number;
  restartTimer: NodeJS.Timeout | undefined;
}

/** Stands for "nothing ready now", since any value can be an item. */
export const NOTHING = Symbol('nothing');

export class Intake {
  readonly #lanes: Lane[];
  readonly #listener: IntakeListener;
  #next = 0;
  #stopped = false;

  constructor(producers: readonly ProducerSpec[], listener: IntakeListener) {
    this.#listener = listener;
    this.#lanes = producers.map((spec) => ({
      spec,
      iterator: undefined,
      isAsync: false,
      pulling: false,
      hasItem: false,
      item: undefined,
      restarts: 0,
      restartTimer: undefined,
    }));
  }

  /** No item will come any more. */
  get ended(): boolean {
    return this.#stopped || this.#lanes.length === 0;
  }

  /** The next item in turn, or NOTHING; then `onReady` tells when to ask again. */
  take(): unknown {
    for (let asked = this.#lanes.length; asked > 0 && !this.#stopped; asked -= 1) {
      if (this.#next >= this.#lanes.length) this.#next = 0;
      const lane = this.#lanes[this.#next];
      if (lane === undefined) break;
      this.#next += 1;
      if (lane.hasItem) {
        const item = lane.item;
        lane.hasItem = false;
        lane.item = undefined;
        return item;
      }
      const item = this.#pull(lane);
      if (item !== NOTHING) return item;
    }
    return NOTHING;
  }

  /** Takes no more and closes the producers. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const lane of this.#lanes) {
      clearTimeout(lane.restartTimer);
      if (lane.hasItem) this.#listener.onUntaken(lane.item);
      this.#closeIterator(lane);
    }
  }

  #pull(lane: Lane): unknown {
    if (lane.pulling || lane.restartTimer !== undefined) return NOTHING;
    try {
      if (lane.iterator === undefined) open(lane);
      const step = lane.iterator?.next();
      if (lane.isAsync) {
        this.#await(lane, step as Promise<IteratorResult<unknown>>);
        return NOTHING;
      }
      const { done, value } = step as IteratorResult<unknown>;
      if (done !== true) return value;
      this.#remove(lane);
    } catch (error) {
      this.#fail(lane, error);
    }
    return NOTHING;
  }

  #await(lane: Lane, step: Promise<IteratorResult<unknown>>): void {
    lane.pulling = true;
    // Promise.resolve: an iterator written by hand may answer with a plain result.
    Promise.resolve(step).then(
      ({ done, value }) => {
        lane.pulling = false;
        if (done === true) this.#remove(lane);
        else if (this.#stopped) this.#listener.onUntaken(value);
        else {
          lane.hasItem = true;
          lane.item = value;
        }
        this.#listener.onReady();
      },
      (error) => {
        lane.pulling = false;
        this.#fail(lane, error);
        this.#listener.onReady();
      },
    );
  }

  #fail(lane: Lane, error: unknown): void {
    lane.iterator = undefined;
    const { restart, source, name } = lane.spec;
    if (
      this.#stopped ||
      restart === undefined ||
      typeof source !== 'function' ||
      lane.restarts >= restart.attempts
    ) {
      this.#remove(lane);
      if (!this.#stopped) this.#listener.onProducerError(name, error, undefined);
      return;
    }
    const delayMs = Math.min(restart.maxDelayMs ?? 30_000, (restart.minDelayMs ?? 100) * 2 ** lane.restarts);
    lane.restarts += 1;
    lane.restartTimer = setTimeout(() => {
      lane.restartTimer = undefined;
      this.#listener.onReady();
    }, delayMs);
    this.#listener.onProducerError(name, error, delayMs);
  }

  #remove(lane: Lane): void {
    const index = this.#lanes.indexOf(lane);
    if (index === -1 || this.#stopped) return;
    this.#lanes.splice(index, 1);
    if (index < this.#next) this.#next -= 1;
  }

  #closeIterator(lane: Lane): void {
    const { iterator, spec } = lane;
    lane.iterator = undefined;
    if (iterator?.return === undefined) return;
    const report = (error: unknown) => this.#listener.onProducerError(spec.name, error, undefined);
    try {
      Promise.resolve(iterator.return()).catch(report);
    } catch (error) {
      report(error);
    }
  }
}

function open(lane: Lane): void {
  const { source } = lane.spec;
  const iterable = typeof source === 'function' ? source() : source;
  if (Symbol.asyncIterator in iterable) {
    lane.isAsync = true;
    lane.iterator = iterable[Symbol.asyncIterator]();
  } else {
    lane.isAsync = false;
    lane.iterator = iterable[Symbol.iterator]();
  }
}
