/** The calls that are accepted and not settled. Linked through the calls themselves: a million a second come and go. */
import type { RunningCall } from './running-call.js';

export interface Listed {
  listNext: RunningCall | null;
  listPrevious: RunningCall | null;
}

export class CallList {
  #head: RunningCall | null = null;
  size = 0;

  add(call: RunningCall): void {
    call.listNext = this.#head;
    if (this.#head !== null) this.#head.listPrevious = call;
    this.#head = call;
    this.size += 1;
  }

  /** Must hold the call. */
  remove(call: RunningCall): void {
    const { listNext: next, listPrevious: previous } = call;
    if (previous === null) this.#head = next;
    else previous.listNext = next;
    if (next !== null) next.listPrevious = previous;
    call.listNext = call.listPrevious = null;
    this.size -= 1;
  }

  toArray(): RunningCall[] {
    const calls: RunningCall[] = [];
    for (let call = this.#head; call !== null; call = call.listNext) calls.push(call);
    return calls.reverse();
  }
}
