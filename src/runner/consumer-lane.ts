/**
 * Delivers outcomes to one consumer, in order, without letting it hold up anybody else: a bounded buffer, a
 * time limit per delivery, a few attempts. What a consumer will not take is parked: announced, not acknowledged.
 */
import type { Outcome } from './outcome.js';

export interface ConsumerOptions {
  /** Shown in events. Default `consumer-1`, `consumer-2`, … */
  readonly name?: string;
  /** Outcomes that may wait for this consumer before the intake waits for it. Default 16 384. */
  readonly bufferSize?: number;
  /** The same in bytes of results, where their size is known. Default 64 MiB. */
  readonly bufferBytes?: number;
  /**
   * Milliseconds one delivery may take, default 30 000. A consumer that takes longer counts as stalled until it
   * comes back; meanwhile its outcomes are parked and nobody waits for it.
   */
  readonly timeoutMs?: number;
  /** Deliveries of one outcome to a consumer that throws, default 3. */
  readonly attempts?: number;
  /** With a full buffer: `wait` slows the intake down (default), `park` gives up the newest outcome. */
  readonly overflow?: 'wait' | 'park';
}

export interface ConsumerSpec extends Required<ConsumerOptions> {
  readonly deliver: (outcome: Outcome) => unknown;
}

/** An outcome on its way to the consumers. */
export interface Delivery {
  readonly outcome: Outcome;
  /** Bytes of the result where known, else 0. */
  readonly resultBytes: number;
  /** One consumer is done with it; `parked` when it did not take it. */
  delivered(parked: boolean): void;
}

export interface LaneListener {
  onConsumerError(consumer: string, error: unknown, outcome: Outcome): void;
  onParked(consumer: string, outcome: Outcome, reason: string): void;
  /** The buffer has room again. */
  onRoom(): void;
}

const RETRY_DELAY_MS = 50;

export class ConsumerLane {
  readonly #spec: ConsumerSpec;
  readonly #listener: LaneListener;
  // A queue with a moving head: shift() on a long array copies it.
  #buffer: Delivery[] = [];
  #head = 0;
  #bytes = 0;
  #busy = false;
  #stalled = false;
  #closed = false;

  constructor(spec: ConsumerSpec, listener: LaneListener) {
    this.#spec = spec;
    this.#listener = listener;
  }

  /** The intake should wait for this consumer. */
  get full(): boolean {
    return this.#isFull() && this.#spec.overflow === 'wait' && !this.#stalled;
  }

  offer(delivery: Delivery): void {
    if (this.#closed) return this.#park(delivery, 'the runner has stopped');
    if (this.#stalled)
      return this.#park(delivery, `an earlier delivery takes over ${this.#spec.timeoutMs} ms`);
    if (!this.#busy) return this.#deliver(delivery, 1);
    if (this.#isFull() && this.#spec.overflow === 'park') return this.#park(delivery, 'its buffer is full');
    this.#buffer.push(delivery);
    this.#bytes += delivery.resultBytes;
  }

  /** Parks what still waits; a delivery under way is given up too. */
  close(): void {
    this.#closed = true;
    this.#parkBuffer('the runner has stopped');
    this.#giveUp?.('the runner has stopped');
  }

  #giveUp: ((reason: string) => void) | undefined;

  #isFull(): boolean {
    const { bufferSize, bufferBytes } = this.#spec;
    return this.#buffer.length - this.#head >= bufferSize || this.#bytes >= bufferBytes;
  }

  #deliver(delivery: Delivery, attempt: number): void {
    let answer: unknown;
    try {
      answer = this.#spec.deliver(delivery.outcome);
    } catch (error) {
      return this.#failed(delivery, attempt, error);
    }
    if (!isThenable(answer)) return delivery.delivered(false);
    this.#busy = true;
    this.#await(delivery, attempt, answer);
  }

  #await(delivery: Delivery, attempt: number, answer: PromiseLike<unknown>): void {
    let waiting = true;
    const giveUp = (reason: string) => {
      if (!waiting) return;
      waiting = false;
      clearTimeout(timer);
      this.#giveUp = undefined;
      this.#stalled = true;
      this.#park(delivery, reason);
      this.#parkBuffer(reason);
    };
    const timer = setTimeout(giveUp, this.#spec.timeoutMs, `it took over ${this.#spec.timeoutMs} ms`);
    this.#giveUp = giveUp;
    const settled = (act: () => void) => {
      clearTimeout(timer);
      if (waiting) {
        waiting = false;
        this.#giveUp = undefined;
        act();
      } else {
        this.#stalled = false;
        this.#free();
      }
    };
    answer.then(
      () =>
        settled(() => {
          delivery.delivered(false);
          this.#free();
        }),
      (error) =>
        settled(() => {
          this.#failed(delivery, attempt, error);
          if (!this.#busy) this.#free();
        }),
    );
  }

  #failed(delivery: Delivery, attempt: number, error: unknown): void {
    this.#listener.onConsumerError(this.#spec.name, error, delivery.outcome);
    this.#busy = false;
    if (attempt >= this.#spec.attempts || this.#closed) {
      return this.#park(delivery, `it failed ${attempt} times`);
    }
    this.#busy = true;
    const timer = setTimeout(
      () => {
        this.#giveUp = undefined;
        this.#busy = false;
        this.#deliver(delivery, attempt + 1);
        if (!this.#busy) this.#free();
      },
      RETRY_DELAY_MS * 2 ** (attempt - 1),
    );
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
    while (!this.#busy && this.#head < this.#buffer.length) {
      const next = this.#buffer[this.#head] as Delivery;
      this.#head += 1;
      this.#bytes -= next.resultBytes;
      if (this.#head > 1024 && this.#head * 2 > this.#buffer.length) {
        this.#buffer = this.#buffer.slice(this.#head);
        this.#head = 0;
      }
      this.#deliver(next, 1);
    }
    if (this.#head === this.#buffer.length) {
      this.#buffer = [];
      this.#head = 0;
    }
    this.#listener.onRoom();
  }

  #parkBuffer(reason: string): void {
    const waiting = this.#buffer.slice(this.#head);
    this.#buffer = [];
    this.#head = 0;
    this.#bytes = 0;
    for (const delivery of waiting) this.#park(delivery, reason);
    this.#listener.onRoom();
  }

  #park(delivery: Delivery, reason: string): void {
    this.#listener.onParked(this.#spec.name, delivery.outcome, reason);
    delivery.delivered(true);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}
