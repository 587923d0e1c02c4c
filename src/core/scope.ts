/** The one implementation of CallContext: cancellation and deadline of a call, nested where layers need it. */
import { clearUnreferenced, Expiring, MAX_TIMER_MS } from './deadlines.js';
import { FaasError } from './errors.js';
import type { CallContext } from './executor.js';
import { warnOf } from './warning.js';

type CancelListener = (reason: FaasError) => void;

/**
 * A context that its owner can cancel. `arm` sets a deadline that cancels with TIMEOUT and keeps the process alive
 * until then, `disarm` takes it away; contexts for calls made by hand come from {@link callContext}.
 */
export class CallScope extends Expiring implements CallContext, Disposable {
  /** Epoch milliseconds; `Infinity` for none. */
  readonly deadline: number;
  #reason: FaasError | undefined;
  #controller: AbortController | undefined;
  // Nearly every call has one listener: the array is made for the second.
  #listener: CancelListener | undefined;
  #more: CancelListener[] | undefined;

  /** @param deadline epoch milliseconds that others are told; `arm` is what makes it happen */
  constructor(deadline = Infinity) {
    super();
    this.deadline = deadline;
  }

  /** Why the call was cancelled; undefined while it is not. */
  get reason(): FaasError | undefined {
    return this.#reason;
  }

  /** Made on first use. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Calls `listener` once, with the reason; at once when it is cancelled already. Returns what takes it off again. */
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

  /**
   * Ends the wait for everyone who listens. Only the first call counts; returns whether it was this one. What a
   * listener throws becomes a warning of the process: the others are told all the same.
   */
  cancel(reason: FaasError): boolean {
    if (this.#reason !== undefined) return false;
    this.#reason = reason;
    this.disarm();
    this.#controller?.abort(reason);
    const first = this.#listener;
    const more = this.#more;
    this.#listener = this.#more = undefined;
    if (first !== undefined) hear(first, reason);
    if (more !== undefined) for (const listener of more) hear(listener, reason);
    return true;
  }

  /** Lets go of the timer. Listeners stay: who holds the scope may still cancel it. */
  [Symbol.dispose](): void {
    this.disarm();
  }

  protected override onDeadline(): void {
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

  override [Symbol.dispose](): void {
    this.dispose();
  }
}

function noop(): void {}

function hear(listener: CancelListener, reason: FaasError): void {
  try {
    listener(reason);
  } catch (thrown) {
    warnOf('A listener of onCancel', thrown);
  }
}

/** Resolves after `delayMs`, or rejects with the reason as soon as the call is cancelled. */
export function sleep(delayMs: number, context: CallContext): Promise<void> {
  return new Promise((resolve, reject) => {
    // More than a timer can hold would fire at once; nobody waits for 24 days.
    const timer = setTimeout(
      () => {
        leave();
        resolve();
      },
      Math.min(delayMs, MAX_TIMER_MS),
    );
    const leave = context.onCancel((reason) => {
      clearTimeout(timer);
      reject(reason);
    });
  });
}

/** What `callContext` returns. Its timer keeps no process alive: the call it is for does that. */
class ManualScope extends CallScope {
  readonly #signal: AbortSignal | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number, signal: AbortSignal | undefined) {
    super(timeoutMs === Infinity ? Infinity : Date.now() + timeoutMs);
    this.#signal = signal;
    if (signal?.aborted) this.cancel(cancelled(signal.reason));
    else {
      signal?.addEventListener('abort', this.#onAbort);
      this.arm(timeoutMs);
    }
  }

  override arm(timeoutMs: number): void {
    if (timeoutMs === Infinity) return;
    this.disarm();
    const laterMs = timeoutMs - MAX_TIMER_MS;
    const onTime = () => (laterMs > 0 ? this.arm(laterMs) : this.onDeadline());
    this.#timer = setTimeout(onTime, Math.min(timeoutMs, MAX_TIMER_MS)).unref();
  }

  override disarm(): void {
    if (this.#timer !== undefined) clearUnreferenced(this.#timer);
    this.#timer = undefined;
  }

  override cancel(reason: FaasError): boolean {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    return super.cancel(reason);
  }

  override [Symbol.dispose](): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    super[Symbol.dispose]();
  }

  readonly #onAbort = (): void => {
    this.cancel(cancelled(this.#signal?.reason));
  };
}

/**
 * A context for calls made by hand:
 *
 * ```ts
 * using context = callContext({ timeoutMs: 5000, signal });
 * const result = await executor.invoke(call, context);
 * ```
 *
 * Leaving the block lets go of the timer and of `signal`; without `using`, call `context[Symbol.dispose]()`. A context
 * that is never let go keeps no process alive, but `signal` remembers it until the context is cancelled.
 * @param options.timeoutMs milliseconds until TIMEOUT; default none
 * @param options.signal cancels with CANCELLED and its reason as the cause; a FaasError as reason passes unchanged
 */
export function callContext(options: { timeoutMs?: number; signal?: AbortSignal } = {}): CallScope {
  return new ManualScope(options.timeoutMs ?? Infinity, options.signal);
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
