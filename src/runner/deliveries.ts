/** From outcome to consumers to acknowledgement: what happens to a call after it settled. */
import type { CallOptions, JobRequest } from '../core/define-job.js';
import { ConsumerLane, type ConsumerSpec, type LaneListener } from './consumer-lane.js';
import type { Outcome } from './outcome.js';
import type { RunningCall } from './running-call.js';
import { TimeLimit } from './time-limit.js';

const LAST_MS = 1000;

interface DeliveriesListener extends LaneListener {
  onAckError(call: 'ack' | 'nack', error: unknown, outcome: Outcome | undefined): void;
  /** A call is with all consumers, or one of them would not take it. */
  onDelivered(call: RunningCall): void;
  /** Nothing is on its way any more. */
  onIdle(): void;
}

export class Deliveries {
  readonly #lanes: readonly ConsumerLane[];
  readonly #listener: DeliveriesListener;
  #pending = 0;
  #abandoned = false;
  #limit: TimeLimit | undefined;

  constructor(consumers: readonly ConsumerSpec[], listener: DeliveriesListener) {
    this.#listener = listener;
    this.#lanes = consumers.map((spec) => new ConsumerLane(spec, listener));
  }

  /** Outcomes that are not yet with every consumer, and acknowledgements that are not yet answered. */
  get pending(): number {
    return this.#abandoned ? 0 : this.#pending;
  }

  /** Some consumer asks the intake to wait. */
  get full(): boolean {
    for (const lane of this.#lanes) if (lane.full) return true;
    return false;
  }

  deliver(call: RunningCall): void {
    this.#pending += 1;
    call.expectDeliveries(this.#lanes.length);
    for (const lane of this.#lanes) lane.offer(call);
  }

  /** The last consumer is done with the outcome: now its producer may forget the item. */
  finish(call: RunningCall): void {
    const { request, outcome } = call;
    if (call.isPrimary) {
      if (call.parked) this.nack(request, 'a consumer did not take the outcome', outcome);
      else if (outcome.status === 'cancelled') this.nack(request, 'the runner stopped', outcome);
      else if (request.ack !== undefined) this.#ack(request, outcome);
    }
    this.#listener.onDelivered(call);
    this.#settled();
  }

  /** @param outcome undefined for an item that was pulled and never taken */
  nack(item: CallOptions | null | undefined, reason: string, outcome?: Outcome): void {
    try {
      this.#await('nack', item?.nack?.(new Error(reason), outcome), outcome);
    } catch (error) {
      this.#listener.onAckError('nack', error, outcome);
    }
  }

  /**
   * Gives the consumers a last second for what they have, and parks the rest; then one second more for what `onParked`
   * and acknowledgements take. After that, nobody waits for anything.
   */
  endSoon(): void {
    this.#limit = new TimeLimit(() => {
      for (const lane of this.#lanes) lane.close();
      this.#limit = new TimeLimit(() => this.#abandon());
      this.#limit.start(LAST_MS);
    });
    this.#limit.start(LAST_MS);
  }

  /** All is delivered, or given up. */
  end(): void {
    this.#limit?.stop();
  }

  #abandon(): void {
    for (const lane of this.#lanes) lane.abandon();
    this.#abandoned = true;
    this.#listener.onIdle();
  }

  #ack(request: JobRequest, outcome: Outcome): void {
    try {
      this.#await('ack', request.ack?.(), outcome);
    } catch (error) {
      this.#listener.onAckError('ack', error, outcome);
    }
  }

  #await(call: 'ack' | 'nack', answer: void | Promise<void>, outcome: Outcome | undefined): void {
    if (answer === undefined) return;
    this.#pending += 1;
    Promise.resolve(answer)
      .catch((error) => this.#listener.onAckError(call, error, outcome))
      .finally(() => this.#settled());
  }

  #settled(): void {
    this.#pending -= 1;
    if (this.#pending === 0) this.#listener.onIdle();
  }
}
