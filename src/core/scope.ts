/** The one implementation of CallContext: cancellation and deadline of a call, nested where layers need it. */
import { addDeadline, type Expiring, removeDeadline } from './deadlines.js';
import { FaasError } from './errors.js';
import type { CallContext } from './executor.js';

type CancelListener = (reason: FaasError) => void;

export class CallScope implements CallContext, Expiring {
  readonly deadline: number;
  #reason: FaasError | undefined;
  #controller: AbortController | undefined;
  // Nearly every call has one listener: the array is made for the second.
  #listener: CancelListener | undefined;
  #more: CancelListener[] | undefined;

  expiryList: Expiring['expiryList'] = null;
  expiryNext: Expiring | null = null;
  expiryPrevious: Expiring | null = null;
  expiresAt = 0;

  constructor(deadline = Infinity) {
    this.deadline = deadline;
  }

  /** Why the call was cancelled; undefined while it is not. */
  get reason(): FaasError | undefined {
    return this.#reason;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  onCancel(listener: CancelListener): () => void {
    if (this.#reason !== undefined) {
      listener(this.#reason);
      return noop;
    }
    if (this.#listener === undefined) this.#listener = listener;
    else {
      this.#more ??= [];
      this.#more.push(listener);
    }
    return () => {
      if (this.#listener === listener) this.#listener = undefined;
      else this.#more = this.#more?.filter((other) => other !== listener);
    };
  }

  /** Ends the wait for everyone who listens. Only the first call counts; returns whether it was this one. */
  cancel(reason: FaasError): boolean {
    if (this.#reason !== undefined) return false;
    this.#reason = reason;
    removeDeadline(this);
    this.#controller?.abort(reason);
    const first = this.#listener;
    const more = this.#more;
    this.#listener = this.#more = undefined;
    first?.(reason);
    if (more !== undefined) for (const listener of more) listener(reason);
    return true;
  }

  /** Cancels with TIMEOUT after `timeoutMs`, unless `disarm` comes before. */
  arm(timeoutMs: number, nowMs?: number): void {
    addDeadline(this, timeoutMs, nowMs);
  }

  disarm(): void {
    removeDeadline(this);
  }

  onDeadline(): void {
    this.cancel(
      new FaasError({ code: 'TIMEOUT', executed: 'maybe', message: 'The deadline of the call has passed.' }),
    );
  }
}

/** A scope inside another: cancelled with its parent, and on its own when a deadline or a layer says so. */
export class ChildScope extends CallScope {
  readonly #leaveParent: () => void;

  /** @param timeoutMs the child's own limit; the deadline becomes the nearer of the two. */
  constructor(parent: CallContext, timeoutMs = Infinity) {
    super(timeoutMs === Infinity ? parent.deadline : Math.min(parent.deadline, Date.now() + timeoutMs));
    this.#leaveParent = parent.onCancel((reason) => this.cancel(reason));
    if (this.reason === undefined) this.arm(timeoutMs);
  }

  /** Must be called when the work in this scope is over, or the parent keeps a reference. */
  dispose(): void {
    this.disarm();
    this.#leaveParent();
  }
}

function noop(): void {}

/** Resolves after `delayMs`, or rejects with the reason as soon as the call is cancelled. */
export function sleep(delayMs: number, context: CallContext): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      leave();
      resolve();
    }, delayMs);
    const leave = context.onCancel((reason) => {
      clearTimeout(timer);
      reject(reason);
    });
  });
}

/** A context for calls made by hand: `executor.invoke(call, callContext({ timeoutMs: 5000 }))`. */
export function callContext(options: { timeoutMs?: number; signal?: AbortSignal } = {}): CallScope {
  const { timeoutMs = Infinity, signal } = options;
  const scope = new CallScope(timeoutMs === Infinity ? Infinity : Date.now() + timeoutMs);
  const cancel = () => scope.cancel(cancelled(signal?.reason));
  if (signal?.aborted) cancel();
  else {
    scope.arm(timeoutMs);
    signal?.addEventListener('abort', cancel, { once: true });
  }
  return scope;
}

/** The CANCELLED error for an AbortSignal's reason; a FaasError passes unchanged. */
export function cancelled(reason: unknown): FaasError {
  if (FaasError.is(reason)) return reason;
  return new FaasError({
    code: 'CANCELLED',
    executed: 'maybe',
    message: 'The call was cancelled by its caller.',
    cause: reason,
  });
}
