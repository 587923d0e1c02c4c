/** Pulls items from several producers, in turn, and only when the runner has room. */
import { stoppedAsTold } from './grace.js';
import { TimeLimit } from './time-limit.js';

/**
 * Where items come from: an iterable, an async iterable, or a function that returns one. When the runner stops, `return`
 * of the iterator is called and `signal` is aborted. A stopping runner waits for a pull that has begun, since it may
 * bring an item, and for the producer's `finally`: a producer that can wait long must end its wait by the signal.
 */
export type ProducerSource<Item> =
  | Iterable<Item>
  | AsyncIterable<Item>
  | ((context: { readonly signal: AbortSignal }) => Iterable<Item> | AsyncIterable<Item>);

/** How a producer is called, and what happens when it throws. */
export interface ProducerOptions {
  /** Shown in events. Default `producer-1`, `producer-2`, … */
  readonly name?: string;
  /**
   * Start a producer that threw again, with doubling waits. Needs a function as source, since an iterator that
   * threw is over. Default: it stays closed.
   */
  readonly restart?: {
    /** Restarts in all. */
    readonly attempts: number;
    /** Before the first restart, doubling. Default 100. */
    readonly minDelayMs?: number;
    /** Default 30 000. */
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

/** The producer of an item, as its calls know it. */
export interface ItemSource {
  /** How many of its calls wait for a place in some limit. */
  waiting: number;
}

interface Lane extends ItemSource {
  readonly spec: ProducerSpec;
  iterator: Iterator<unknown> | AsyncIterator<unknown> | undefined;
  isAsync: boolean;
  /** `next` was called and has not answered. */
  pulling: boolean;
  /** `return` was called and has not answered. */
  closing: boolean;
  hasItem: boolean;
  item: unknown;
  restarts: number;
  restartWait: TimeLimit | undefined;
}

/** Stands for "nothing ready now", since any value can be an item. */
export const NOTHING = Symbol('nothing');

export class Intake {
  readonly #lanes: Lane[];
  readonly #listener: IntakeListener;
  readonly #controller = new AbortController();
  readonly #maxWaiting: number;
  #taken: ItemSource = { waiting: 0 };
  #next = 0;
  #stopped = false;
  #abandoned = false;

  /** @param maxWaiting a producer with so many waiting calls is asked for no more, and holds up no other one */
  constructor(producers: readonly ProducerSpec[], maxWaiting: number, listener: IntakeListener) {
    this.#maxWaiting = maxWaiting;
    this.#listener = listener;
    this.#lanes = producers.map((spec) => ({
      spec,
      iterator: undefined,
      isAsync: false,
      pulling: false,
      closing: false,
      hasItem: false,
      item: undefined,
      restarts: 0,
      restartWait: undefined,
      waiting: 0,
    }));
  }

  /** No item will come any more, and every producer has ended. */
  get ended(): boolean {
    if (!this.#stopped) return this.#lanes.length === 0;
    return this.#abandoned || !this.#lanes.some(isBusy);
  }

  /** Where the item that was taken last came from. */
  get taken(): ItemSource {
    return this.#taken;
  }

  /** The next item in turn, or NOTHING; then `onReady` tells when to ask again. */
  take(): unknown {
    for (let asked = this.#lanes.length; asked > 0 && !this.#stopped; asked -= 1) {
      if (this.#next >= this.#lanes.length) this.#next = 0;
      const lane = this.#lanes[this.#next];
      if (lane === undefined) break;
      this.#next += 1;
      if (lane.waiting >= this.#maxWaiting) continue;
      this.#taken = lane;
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

  /** Takes no more and closes the producers; `onReady` tells when they have ended. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#controller.abort();
    for (const lane of this.#lanes) {
      lane.restartWait?.stop();
      if (lane.hasItem) this.#listener.onUntaken(lane.item);
      this.#openUnread(lane);
      // A generator that is at work, because it was its own code that stopped us, cannot be closed before it yields.
      if (lane.isAsync || !lane.pulling) this.#close(lane);
    }
  }

  /** Waits no longer for producers that do not end. What they still bring is handed to `onUntaken`. */
  abandon(): void {
    this.#abandoned = true;
    for (const { spec } of this.#lanes.filter(isBusy)) {
      const error = new Error(
        'it did not end within the grace period; end its waits when its signal is aborted',
      );
      this.#listener.onProducerError(spec.name, error, undefined);
    }
    this.#listener.onReady();
  }

  #pull(lane: Lane): unknown {
    if (lane.pulling || lane.restartWait !== undefined) return NOTHING;
    lane.pulling = true;
    try {
      if (lane.iterator === undefined) open(lane, this.#controller.signal);
      const step = lane.iterator?.next();
      if (lane.isAsync) {
        this.#await(lane, step as Promise<IteratorResult<unknown>>);
        return NOTHING;
      }
      lane.pulling = false;
      const { done, value } = step as IteratorResult<unknown>;
      if (done === true) this.#remove(lane);
      else if (!this.#stopped) return value;
      else {
        this.#listener.onUntaken(value);
        this.#close(lane);
      }
    } catch (error) {
      lane.pulling = false;
      this.#fail(lane, error);
    }
    return NOTHING;
  }

  #await(lane: Lane, step: Promise<IteratorResult<unknown>>): void {
    const failed = (error: unknown) => {
      lane.pulling = false;
      this.#fail(lane, error);
      this.#listener.onReady();
    };
    // Promise.resolve: an iterator written by hand may answer with a plain result.
    Promise.resolve(step).then((result) => {
      if (typeof result !== 'object' || result === null) {
        return failed(new TypeError(`its next() gave ${String(result)}, not { done, value }`));
      }
      lane.pulling = false;
      if (result.done === true) this.#remove(lane);
      else if (this.#stopped) {
        this.#listener.onUntaken(result.value);
        this.#close(lane);
      } else {
        lane.hasItem = true;
        lane.item = result.value;
      }
      this.#listener.onReady();
    }, failed);
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
      const isFault = !stoppedAsTold(error, this.#controller.signal);
      if (isFault) this.#listener.onProducerError(name, error, undefined);
      return;
    }
    const delayMs = Math.min(restart.maxDelayMs ?? 30_000, (restart.minDelayMs ?? 100) * 2 ** lane.restarts);
    lane.restarts += 1;
    lane.restartWait = new TimeLimit(() => {
      lane.restartWait = undefined;
      this.#listener.onReady();
    });
    lane.restartWait.start(delayMs);
    this.#listener.onProducerError(name, error, delayMs);
  }

  #remove(lane: Lane): void {
    const index = this.#lanes.indexOf(lane);
    if (index === -1 || this.#stopped) return;
    this.#lanes.splice(index, 1);
    if (index < this.#next) this.#next -= 1;
  }

  /** A source that nobody has read yet is told of the end as well: others may be waiting to hand it something. */
  #openUnread(lane: Lane): void {
    const { source, name } = lane.spec;
    const isUnread = lane.iterator === undefined && !lane.pulling;
    if (!isUnread || typeof source === 'function' || !(Symbol.asyncIterator in source)) return;
    try {
      open(lane, this.#controller.signal);
    } catch (error) {
      this.#listener.onProducerError(name, error, undefined);
    }
  }

  #close(lane: Lane): void {
    const { iterator, spec } = lane;
    lane.iterator = undefined;
    if (iterator?.return === undefined) return;
    lane.closing = true;
    const closed = () => {
      lane.closing = false;
      this.#listener.onReady();
    };
    const failed = (error: unknown) => {
      if (!stoppedAsTold(error, this.#controller.signal)) {
        this.#listener.onProducerError(spec.name, error, undefined);
      }
      closed();
    };
    try {
      Promise.resolve(iterator.return()).then(closed, failed);
    } catch (error) {
      failed(error);
    }
  }
}

function isBusy({ pulling, closing }: Lane): boolean {
  return pulling || closing;
}

function open(lane: Lane, signal: AbortSignal): void {
  const { source } = lane.spec;
  const iterable = typeof source === 'function' ? source({ signal }) : source;
  if (Symbol.asyncIterator in iterable) {
    lane.isAsync = true;
    lane.iterator = iterable[Symbol.asyncIterator]();
  } else {
    lane.isAsync = false;
    lane.iterator = iterable[Symbol.iterator]();
  }
}
