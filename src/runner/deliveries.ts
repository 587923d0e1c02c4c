/** From outcome to consumers to acknowledgement: what happens to a call after it settled. */
import type { JobRequest } from '../core/define-job.js';
import { ConsumerLane, type ConsumerSpec, type LaneListener } from './consumer-lane.js';
import type { RunningCall } from './running-call.js';

interface DeliveriesListener extends LaneListener {
  /** An `ack` or `nack` failed. */
  onAckError(error: unknown): void;
  /** A call is with all consumers, or one of them would not take it. */
  onDelivered(call: RunningCall): void;
  /** Nothing is on its way any more. */
  onIdle(): void;
}

export class Deliveries {
  readonly #lanes: readonly ConsumerLane[];
  readonly #listener: DeliveriesListener;
  #pending = 0;
  #closed = false;

  constructor(consumers: readonly ConsumerSpec[], listener: DeliveriesListener) {
    this.#listener = listener;
    this.#lanes = consumers.map((spec) => new ConsumerLane(spec, listener));
  }

  /** Outcomes that are not yet with every consumer, and acknowledgements that are not yet answered. */
  get pending(): number {
    return this.#closed ? 0 : this.#pending;
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
    if (call.isPrimary) {
      const stopped = call.outcome.status === 'cancelled' ? 'the runner stopped' : undefined;
      this.acknowledge(call.request, call.parked ? 'a consumer did not take the outcome' : stopped);
    }
    this.#listener.onDelivered(call);
    this.#settled();
  }

  /** Calls `ack`, or `nack` with the fault. */
  acknowledge(request: JobRequest | null | undefined, fault: string | undefined): void {
    const { ack, nack } = request ?? {};
    try {
      const answer = fault === undefined ? ack?.() : nack?.(new Error(fault));
      if (answer === undefined) return;
      this.#pending += 1;
      Promise.resolve(answer)
        .catch((error) => this.#listener.onAckError(error))
        .finally(() => this.#settled());
    } catch (error) {
      this.#listener.onAckError(error);
    }
  }

  /** Gives up what is not delivered; nobody waits for it any more. */
  close(): void {
    for (const lane of this.#lanes) lane.close();
    this.#closed = true;
    this.#listener.onIdle();
  }

  #settled(): void {
    this.#pending -= 1;
    if (this.#pending === 0) this.#listener.onIdle();
  }
}
