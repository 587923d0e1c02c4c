/** The end of an invocation: written once under its lease, however long the disk takes, and told to those who wait. */

import { messageOf } from '../domain/errors.js';
import type { Log } from '../domain/log.js';
import { type CallOutcome, encodeOutcome } from '../domain/outcome.js';
import type { GroupCommit } from '../store/group-commit.js';
import type { TerminalStatus } from './invocation.js';
import type { InvocationStore } from './invocation-store.js';

const RETRY_WRITE_MS = 1000;

export interface InvocationEndsParts {
  readonly invocations: InvocationStore;
  readonly disk: GroupCommit;
  /** Told when the end of an invocation is on disk. */
  readonly onEnd: (invocationId: string) => void;
  readonly log: Log;
}

export class InvocationEnds {
  readonly #parts: InvocationEndsParts;
  readonly #waiting = new Map<string, Set<() => void>>();
  #isStopped = false;

  constructor(parts: InvocationEndsParts) {
    this.#parts = parts;
  }

  /** @param lease of the run that ended; undefined for an invocation that waits */
  async write(
    invocationId: string,
    lease: string | undefined,
    status: TerminalStatus,
    outcome: CallOutcome,
  ): Promise<void> {
    const { invocations, disk, log } = this.#parts;
    const stored = encodeOutcome(outcome);
    for (;;) {
      try {
        const end = { ...stored, status, nowMs: Date.now() };
        const isDone = await disk.commit(() => invocations.finish(invocationId, lease, end));
        if (!isDone) log('error', 'lease-lost', { invocationId, status });
        break;
      } catch (error) {
        log('error', 'end-not-written', { invocationId, status, error: messageOf(error) });
        // Not written is not lost: the next platform finds it running and runs it again.
        if (this.#isStopped) return;
        await new Promise((resolve) => setTimeout(resolve, RETRY_WRITE_MS));
      }
    }
    for (const wake of this.#waiting.get(invocationId) ?? []) wake();
    this.#parts.onEnd(invocationId);
  }

  /** Resolves when the invocation has ended, `ms` have passed, the caller has gone or the platform stops. */
  async waitFor(invocationId: string, ms: number, onCallerGone: (stop: () => void) => void): Promise<void> {
    if (ms <= 0 || this.#isStopped) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(invocationId) ?? new Set();
    this.#waiting.set(invocationId, waiting.add(resolve));
    const timer = setTimeout(resolve, ms);
    onCallerGone(resolve);
    await promise;
    clearTimeout(timer);
    waiting.delete(resolve);
    if (waiting.size === 0) this.#waiting.delete(invocationId);
  }

  stop(): void {
    this.#isStopped = true;
    for (const waiting of this.#waiting.values()) for (const wake of waiting) wake();
  }
}
