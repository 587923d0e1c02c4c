/**
 * Delivers outcomes to one consumer, in order, without letting it hold up anybody else: a bounded buffer, a
 * time limit per delivery, a few attempts. What a consumer will not take is parked: announced, not acknowledged.
 */
import { DeliveryQueue } from './delivery-queue.js';
import type { Outcome } from './outcome.js';
import { TimeLimit } from './time-limit.js';

/** How outcomes reach a consumer: docs/delivery.md has it as a table. */
export interface ConsumerOptions<Outcomes = Outcome> {
  /** Shown in events. Default `consumer-1`, `consumer-2`, … */
  readonly name?: string;
  /** Outcomes that may wait for this consumer before the intake waits for it. Default 16 384. */
  readonly bufferSize?: number;
  /** The same in bytes of results, where their size is known. Default 64 MiB. */
  readonly bufferBytes?: number;
  /**
   * Milliseconds one delivery may take, default 30 000; `Infinity` for no limit. A delivery that takes longer is
   * parked, and the next one begins although it has not ended. After three in a row the consumer counts as stuck: what
   * waits for it and what comes is parked too, until one of its deliveries ends, however late.
   */
  readonly timeoutMs?: number;
  /** Deliveries of one outcome to a consumer that throws, default 3; the waits between are 50 ms, doubling up to 5 s. */
  readonly attempts?: number;
  /** With a full buffer: `wait` slows the intake down (default), `park` gives up the newest outcome. */
  readonly overflow?: 'wait' | 'park';
  /**
   * Receives each outcome that this consumer did not take, for example to write it to a file. Called one by one, under
   * the same `timeoutMs` and `attempts`, and awaited: the item's `nack` and the end of `run()` come after it.
   */
  readonly onParked?: (outcome: Outcomes, reason: string) => unknown;
}

export interface ConsumerSpec extends Required<Omit<ConsumerOptions, 'onParked'>> {
  readonly deliver: (outcome: Outcome) => unknown;
  readonly onParked: ((outcome: Outcome, reason: string) => unknown) | undefined;
}

/** An outcome on its way to the consumers. */
export interface Delivery {
  readonly outcome: Outcome;
  /** Bytes of the result where known, else 0. */
  readonly resultBytes: number;
  giveTo(deliver: (outcome: Outcome) => unknown): unknown;
  /** One consumer is done with it; `parked` when it did not take it. */
  delivered(parked: boolean): void;
}

export interface LaneListener {
  onConsumerError(consumer: string, error: unknown, outcome: Outcome): void;
  /** `isLost` unless the consumer's `onParked` gets it now. */
  onParked(consumer: string, outcome: Outcome, reason: string, isLost: boolean): void;
  /** The buffer has room again. */
  onRoom(): void;
}

const RETRY_DELAY_MS = 50;
const MAX_RETRY_DELAY_MS = 5000;
/** Deliveries in a row over the time limit, after which nobody waits for the consumer any more. */
const STUCK_AFTER = 3;

export class ConsumerLane {
  readonly #spec: ConsumerSpec;
  readonly #listener: LaneListener;
  readonly #queue = new DeliveryQueue();
  /** Brings what is parked to `onParked`, with the same care. */
  readonly #parkedLane: ConsumerLane | undefined;
  #busy = false;
  #timeoutsInRow = 0;
  #stuck = false;
  #closed = false;
  #giveUp: ((reason: string) => void) | undefined;

  constructor(spec: ConsumerSpec, listener: LaneListener) {
    this.#spec = spec;
    this.#listener = listener;
    const { onParked, name } = spec;
    if (onParked === undefined) return;
    this.#parkedLane = new ConsumerLane(
      {
        ...spec,
        name: `${name} (onParked)`,
        overflow: 'wait',
        deliver: onParked as ConsumerSpec['deliver'],
        onParked: undefined,
      },
      listener,
    );
  }

  /** The intake should wait for this consumer. */
  get full(): boolean {
    if (this.#parkedLane?.full === true) return true;
    // Nothing waits for a consumer that is free: most are asked this for every item.
    return this.#busy && !this.#stuck && this.#spec.overflow === 'wait' && this.#isFull();
  }

  offer(delivery: Delivery): void {
    if (this.#closed) return this.#park(delivery, STOPPED);
    if (this.#stuck) return this.#park(delivery, this.#stuckReason());
    if (!this.#busy) return this.#deliver(delivery, 1);
    if (this.#isFull() && this.#spec.overflow === 'park') return this.#park(delivery, 'its buffer is full');
    this.#queue.push(delivery);
  }

  /** Parks what still waits; a delivery under way is given up too. */
  close(): void {
    this.#closed = true;
    this.#parkQueue(STOPPED);
    this.#giveUp?.(STOPPED);
  }

  /** After `close`: gives up what `onParked` has not taken. */
  abandon(): void {
    this.#parkedLane?.close();
  }

  #isFull(): boolean {
    const { bufferSize, bufferBytes } = this.#spec;
    return this.#queue.length >= bufferSize || this.#queue.bytes >= bufferBytes;
  }

  #deliver(delivery: Delivery, attempt: number): void {
    let answer: unknown;
    try {
      answer = delivery.giveTo(this.#spec.deliver);
    } catch (error) {
      return this.#failed(delivery, attempt, error);
    }
    if (!isThenable(answer)) return delivery.delivered(false);
    this.#busy = true;
    this.#await(delivery, attempt, answer);
  }

  #await(delivery: Delivery, attempt: number, answer: PromiseLike<unknown>): void {
    let waiting = true;
    const limit = new TimeLimit(() => {
      giveUp(`it took over ${this.#spec.timeoutMs} ms`);
      this.#timedOut();
    });
    const done = () => {
      waiting = false;
      limit.stop();
      this.#giveUp = undefined;
    };
    const giveUp = (reason: string) => {
      done();
      this.#park(delivery, reason);
    };
    limit.start(this.#spec.timeoutMs);
    this.#giveUp = giveUp;
    answer.then(
      () => {
        if (!waiting) return this.#endedLate();
        done();
        this.#timeoutsInRow = 0;
        delivery.delivered(false);
        this.#free();
      },
      (error) => {
        if (!waiting) {
          this.#listener.onConsumerError(this.#spec.name, error, delivery.outcome);
          return this.#endedLate();
        }
        done();
        this.#timeoutsInRow = 0;
        this.#failed(delivery, attempt, error);
        if (!this.#busy) this.#free();
      },
    );
  }

  #timedOut(): void {
    this.#timeoutsInRow += 1;
    if (this.#timeoutsInRow < STUCK_AFTER) return this.#free();
    this.#stuck = true;
    this.#parkQueue(this.#stuckReason());
  }

  /** It lives, so it gets the next; one that takes too long again makes it stuck at once. */
  #endedLate(): void {
    if (!this.#stuck) return;
    this.#stuck = false;
    this.#free();
  }

  #stuckReason(): string {
    return `its last ${STUCK_AFTER} deliveries took over ${this.#spec.timeoutMs} ms each`;
  }

  #failed(delivery: Delivery, attempt: number, error: unknown): void {
    this.#listener.onConsumerError(this.#spec.name, error, delivery.outcome);
    this.#busy = false;
    if (attempt >= this.#spec.attempts || this.#closed) {
      return this.#park(delivery, `it failed ${attempt} times`);
    }
    this.#busy = true;
    const delayMs = Math.min(MAX_RETRY_DELAY_MS, RETRY_DELAY_MS * 2 ** (attempt - 1));
    const timer = setTimeout(() => {
      this.#giveUp = undefined;
      this.#busy = false;
      this.#deliver(delivery, attempt + 1);
      if (!this.#busy) this.#free();
    }, delayMs);
    this.#giveUp = (reason) => {
      clearTimeout(timer);
      this.#giveUp = undefined;
      this.#park(delivery, reason);
      this.#free();
    };
  }

  /** The consumer is free: hand it what waits, until a delivery takes time. */
  #free(): void {
    this.#busy = false;
    while (!this.#busy) {
      const next = this.#queue.shift();
      if (next === undefined) break;
      this.#deliver(next, 1);
    }
    this.#listener.onRoom();
  }

  #parkQueue(reason: string): void {
    for (const delivery of this.#queue.clear()) this.#park(delivery, reason);
    this.#listener.onRoom();
  }

  #park(delivery: Delivery, reason: string): void {
    this.#listener.onParked(this.#spec.name, delivery.outcome, reason, this.#parkedLane === undefined);
    if (this.#parkedLane === undefined) delivery.delivered(true);
    else this.#parkedLane.offer(new Parked(delivery, reason));
  }
}

const STOPPED = 'the runner has stopped';

/** An outcome on its way to `onParked`. Whether that takes it or not: its consumer did not. */
class Parked implements Delivery {
  readonly outcome: Outcome;
  readonly resultBytes: number;
  readonly #delivery: Delivery;
  readonly #reason: string;

  constructor(delivery: Delivery, reason: string) {
    this.outcome = delivery.outcome;
    this.resultBytes = delivery.resultBytes;
    this.#delivery = delivery;
    this.#reason = reason;
  }

  giveTo(onParked: (outcome: Outcome, reason: string) => unknown): unknown {
    return onParked(this.outcome, this.#reason);
  }

  delivered(): void {
    this.#delivery.delivered(true);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}
