/** One request and its reply on their way through the chaos proxy, with the fault that was drawn for them. */
import type { Socket } from 'node:net';

export type Fault =
  /** The request is forwarded after a random wait in this range. */
  | { readonly kind: 'latency'; readonly share: number; readonly minMs: number; readonly maxMs: number }
  /** Reset when the first bytes of the request arrive; the target sees none of them. */
  | { readonly kind: 'reset-before-request'; readonly share: number }
  /** Reset as soon as the first bytes of the request were forwarded. */
  | { readonly kind: 'reset-after-request'; readonly share: number }
  /** The target answers, and the caller gets a reset instead. */
  | { readonly kind: 'reset-before-reply'; readonly share: number }
  /** The request is forwarded, and the caller gets the end of the stream (FIN) instead of a reply. */
  | { readonly kind: 'half-close'; readonly share: number }
  /** The reply comes one piece at a time. */
  | { readonly kind: 'slow-drip'; readonly share: number; readonly bytes: number; readonly everyMs: number }
  /** The stream ends after so many bytes of the reply. */
  | { readonly kind: 'truncate'; readonly share: number; readonly afterBytes: number }
  /** The request is swallowed; nothing ever comes back. */
  | { readonly kind: 'blackhole'; readonly share: number };

export type FaultKind = Fault['kind'];

export class Exchange {
  readonly #caller: Socket;
  readonly #upstream: Socket;
  readonly #fault: Fault | undefined;
  readonly #delayMs: number;
  readonly #delayed: Buffer[] = [];
  #waited = false;
  #requestEnded = false;
  #dripping: Buffer = Buffer.alloc(0);
  #replyBytes = 0;
  #ended = false;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(caller: Socket, upstream: Socket, { fault, roll }: { fault: Fault | undefined; roll: number }) {
    this.#caller = caller;
    this.#upstream = upstream;
    this.#fault = fault;
    this.#delayMs = fault?.kind === 'latency' ? fault.minMs + roll * (fault.maxMs - fault.minMs) : 0;
  }

  /** True when the caller must not learn of the target any more. */
  get swallows(): boolean {
    return this.#fault?.kind === 'blackhole';
  }

  request(bytes: Buffer): void {
    switch (this.#fault?.kind) {
      case 'blackhole':
        return;
      case 'reset-before-request':
        this.#reset();
        return;
      case 'reset-after-request':
        // Once the bytes are with the kernel, so that the target gets them.
        this.#upstream.write(bytes, () => this.#reset());
        return;
      case 'latency':
        this.#requestLater(bytes);
        return;
      default:
        this.#upstream.write(bytes);
    }
  }

  requestEnd(): void {
    this.#requestEnded = true;
    if (this.#delayed.length === 0 || this.#waited) this.#upstream.end();
  }

  reply(bytes: Buffer): void {
    if (this.#ended) return;
    switch (this.#fault?.kind) {
      case 'blackhole':
        return;
      case 'reset-before-reply':
        this.#reset();
        return;
      case 'half-close':
        this.replyEnd();
        return;
      case 'truncate': {
        const rest = this.#fault.afterBytes - this.#replyBytes;
        this.#replyBytes += bytes.length;
        this.#caller.write(bytes.subarray(0, Math.max(0, rest)));
        if (bytes.length >= rest) this.replyEnd();
        return;
      }
      case 'slow-drip':
        this.#dripping = Buffer.concat([this.#dripping, bytes]);
        if (this.#timers.size === 0) this.#drip(this.#fault.bytes, this.#fault.everyMs);
        return;
      default:
        this.#caller.write(bytes);
    }
  }

  replyEnd(): void {
    if (this.swallows || this.#ended) return;
    this.#ended = true;
    // What still drips is let out first; #drip ends the stream.
    if (this.#dripping.length === 0) this.#caller.end();
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #reset(): void {
    this.#ended = true;
    this.stop();
    this.#caller.resetAndDestroy();
    this.#upstream.destroy();
  }

  /** Only the first bytes start the wait; what follows keeps its order behind them. */
  #requestLater(bytes: Buffer): void {
    if (this.#waited) this.#upstream.write(bytes);
    else if (this.#delayed.push(bytes) === 1) {
      this.#after(this.#delayMs, () => {
        this.#waited = true;
        this.#upstream.write(Buffer.concat(this.#delayed));
        if (this.#requestEnded) this.#upstream.end();
      });
    }
  }

  #drip(bytes: number, everyMs: number): void {
    this.#caller.write(this.#dripping.subarray(0, bytes));
    this.#dripping = this.#dripping.subarray(bytes);
    if (this.#dripping.length > 0) this.#after(everyMs, () => this.#drip(bytes, everyMs));
    else if (this.#ended) this.#caller.end();
  }

  #after(ms: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
  }
}
