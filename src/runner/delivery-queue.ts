/** What waits for a consumer, with its size in bytes. */
import type { Delivery } from './consumer-lane.js';

export class DeliveryQueue {
  // A queue with a moving head: shift() on a long array copies it.
  #waiting: Delivery[] = [];
  #head = 0;
  #bytes = 0;

  get length(): number {
    return this.#waiting.length - this.#head;
  }

  /** Of results whose size is known. */
  get bytes(): number {
    return this.#bytes;
  }

  push(delivery: Delivery): void {
    this.#waiting.push(delivery);
    this.#bytes += delivery.resultBytes;
  }

  shift(): Delivery | undefined {
    const next = this.#waiting[this.#head];
    if (next === undefined) return undefined;
    this.#head += 1;
    this.#bytes -= next.resultBytes;
    const isEmpty = this.#head === this.#waiting.length;
    if (isEmpty || (this.#head > 1024 && this.#head * 2 > this.#waiting.length)) {
      this.#waiting = isEmpty ? [] : this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    return next;
  }

  /** Empties it and returns what was in it. */
  clear(): readonly Delivery[] {
    const waiting = this.#waiting.slice(this.#head);
    this.#waiting = [];
    this.#head = 0;
    this.#bytes = 0;
    return waiting;
  }
}
