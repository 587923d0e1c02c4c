/** Requests to several origins, each with sockets of its own: a control plane, its helpers, and every function's host. */
import type { Dispatcher } from 'undici';
import { FaasError } from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import { exchange, type HttpReply, type HttpRequest, untilCancelled } from './http.js';
import { OriginPool, type OriginPoolOptions } from './origin-pool.js';
import type { Place } from './transport-error.js';

export interface OriginsOptions extends OriginPoolOptions {
  /** Named in the error of a request after `close`. */
  readonly owner: string;
  /** Used for all origins instead of sockets of our own; its owner closes it. */
  readonly dispatcher?: Dispatcher | undefined;
}

export class Origins {
  readonly #options: OriginsOptions;
  readonly #pools = new Map<string, OriginPool>();
  #closing: Promise<void> | undefined;

  constructor(options: OriginsOptions) {
    this.#options = options;
  }

  /** @throws {FaasError} when there is no complete reply; any status is one */
  send(request: HttpRequest, place: Place, context: Pick<CallContext, 'onCancel'>): Promise<HttpReply> {
    if (this.#closing !== undefined) return Promise.reject(this.#closed());
    let pool = this.#pools.get(request.origin);
    if (pool === undefined) {
      const { dispatcher, ...options } = this.#options;
      pool = new OriginPool(request.origin, options, dispatcher);
      this.#pools.set(request.origin, pool);
    }
    if (pool.ready !== undefined) return exchange(pool.ready, request, place, context);
    return untilCancelled(pool.open(), place, context).then((dispatcher) =>
      exchange(dispatcher, request, place, context),
    );
  }

  /** @throws {FaasError} CONFIG after `close` */
  assertOpen(): void {
    if (this.#closing !== undefined) throw this.#closed();
  }

  /** Lets requests in flight finish and closes the sockets. */
  close(): Promise<void> {
    this.#closing ??= Promise.all([...this.#pools.values()].map((pool) => pool.close())).then(() => {});
    return this.#closing;
  }

  #closed(): FaasError {
    const message = `${this.#options.owner} is closed. Make a new one.`;
    return new FaasError({ code: 'CONFIG', executed: 'no', message });
  }
}
