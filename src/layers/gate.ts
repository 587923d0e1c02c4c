/** The gate of the concurrency layer: who is in, who waits, who is next. */
import { FaasError } from '../core/errors.js';
import type { CallContext, FaasInvoker } from '../core/executor.js';
import type { JobCall } from '../core/job.js';
import type { CallEnd, ConcurrencyLimit } from './adaptive-limit.js';

/** Counts the calls in flight and keeps those that wait. */
export class Gate {
  readonly #limit: ConcurrencyLimit;
  readonly #queueSize: number;
  readonly #inner: FaasInvoker;
  // A Set keeps the order of arrival and forgets a cancelled waiter in O(1).
  readonly #waiters = new Set<() => void>();
  #resumeTimer: NodeJS.Timeout | undefined;
  inFlight = 0;

  constructor(limit: ConcurrencyLimit, queueSize: number, inner: FaasInvoker) {
    this.#limit = limit;
    this.#queueSize = queueSize;
    this.#inner = inner;
  }

  tryEnter(): boolean {
    if (this.#waiters.size > 0 || !this.#hasRoom()) return false;
    this.inFlight += 1;
    return true;
  }

  /** Resolves when the call has been let in. */
  wait(call: JobCall, context: CallContext): Promise<void> {
    if (this.#waiters.size >= this.#queueSize) return Promise.reject(this.#full(call));
    return new Promise((resolve, reject) => {
      const enter = () => {
        stopListening();
        resolve();
      };
      this.#waiters.add(enter);
      const stopListening = context.onCancel((reason) => {
        this.#waiters.delete(enter);
        if (this.#waiters.size === 0) this.#stopTimer();
        reject(reason.with({ executed: 'no', provider: this.#inner.provider }));
      });
      this.#resumeLater();
    });
  }

  leave(end: CallEnd): void {
    this.inFlight -= 1;
    this.#limit.ended(end);
    this.#admit();
  }

  #admit(): void {
    for (const enter of this.#waiters) {
      if (!this.#hasRoom()) break;
      this.#waiters.delete(enter);
      this.inFlight += 1;
      enter();
    }
    this.#resumeLater();
  }

  #hasRoom(): boolean {
    return this.inFlight < Math.floor(this.#limit.current) && this.#limit.pausedMs() <= 0;
  }

  /** A pause ends without any call ending, so a timer lets the waiters in. */
  #resumeLater(): void {
    const pausedMs = this.#limit.pausedMs();
    if (pausedMs <= 0 || this.#waiters.size === 0 || this.#resumeTimer !== undefined) return;
    this.#resumeTimer = setTimeout(() => {
      this.#resumeTimer = undefined;
      this.#admit();
    }, pausedMs);
  }

  #stopTimer(): void {
    clearTimeout(this.#resumeTimer);
    this.#resumeTimer = undefined;
  }

  #full(call: JobCall): FaasError {
    const { provider } = this.#inner;
    return new FaasError({
      code: 'REJECTED',
      executed: 'no',
      provider,
      message: `Job ${call.jobId} was not sent to ${provider}: ${this.inFlight} calls are in flight and ${this.#waiters.size} wait, the most the concurrency layer allows. Send slower, or raise max or queueSize.`,
    });
  }
}
