/**
 * Invocations that wait for a worker: first come, first served within a function, and the functions take turns, so
 * that a long line of one does not hold up the others.
 */

import type { PendingInvocation } from './invocation-store.js';

export class PendingLine {
  readonly #byFunction = new Map<string, PendingInvocation[]>();
  readonly #expiries = new Map<string, NodeJS.Timeout>();
  readonly #onExpired: (invocation: PendingInvocation) => void;
  #size = 0;

  /** @param onExpired called with an invocation that has left the line because its deadline came */
  constructor(onExpired: (invocation: PendingInvocation) => void) {
    this.#onExpired = onExpired;
  }

  get size(): number {
    return this.#size;
  }

  push(invocation: PendingInvocation): void {
    const { invocationId, functionId, deadlineMs } = invocation;
    const line = this.#byFunction.get(functionId);
    if (line === undefined) this.#byFunction.set(functionId, [invocation]);
    else line.push(invocation);
    this.#size++;
    if (deadlineMs === undefined) return;
    const expire = (): void => {
      if (this.remove(invocation)) this.#onExpired(invocation);
    };
    this.#expiries.set(invocationId, setTimeout(expire, Math.max(0, deadlineMs - Date.now())));
  }

  /** Takes the next one of a function that has room, and puts that function behind the others. */
  take(hasRoom: (functionId: string) => boolean): PendingInvocation | undefined {
    for (const [functionId, line] of this.#byFunction) {
      const first = line[0];
      if (first === undefined || !hasRoom(functionId)) continue;
      this.remove(first);
      const rest = this.#byFunction.get(functionId);
      if (rest !== undefined) {
        this.#byFunction.delete(functionId);
        this.#byFunction.set(functionId, rest);
      }
      return first;
    }
    return undefined;
  }

  find(functionId: string, invocationId: string): PendingInvocation | undefined {
    return this.#byFunction.get(functionId)?.find((one) => one.invocationId === invocationId);
  }

  /** False when it is not in the line any more. */
  remove(invocation: PendingInvocation): boolean {
    const { invocationId, functionId } = invocation;
    const line = this.#byFunction.get(functionId);
    const at = line?.findIndex((one) => one.invocationId === invocationId) ?? -1;
    if (line === undefined || at === -1) return false;
    line.splice(at, 1);
    if (line.length === 0) this.#byFunction.delete(functionId);
    this.#size--;
    clearTimeout(this.#expiries.get(invocationId));
    this.#expiries.delete(invocationId);
    return true;
  }

  clear(): void {
    for (const timer of this.#expiries.values()) clearTimeout(timer);
    this.#expiries.clear();
    this.#byFunction.clear();
    this.#size = 0;
  }
}
