/** Requests to one origin: sockets, credentials, JSON. Both planes go through one of these each. */
import { FaasError } from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import { exchange, type HttpReply, type HttpRequest, untilCancelled } from '../shared/http.js';
import { OriginPool } from '../shared/origin-pool.js';
import type { Place } from '../shared/transport-error.js';
import { config, PROVIDER, type Settings } from './options.js';

/** The longest a function runs is 900 s. */
const SILENCE_TIMEOUT_MS = 1_000_000;
const MAX_REPLY_BYTES = 8 * 1024 * 1024;

export type Waits = Pick<CallContext, 'onCancel'>;

export class Client {
  readonly origin: string;
  readonly #pool: OriginPool;
  readonly #authorization: string;
  #closing: Promise<void> | undefined;

  constructor(settings: Settings, origin: string, authorization: string) {
    this.origin = origin;
    this.#authorization = authorization;
    const { connections, connectTimeoutMs, dispatcher } = settings;
    const options = { connections, connectTimeoutMs, silenceTimeoutMs: SILENCE_TIMEOUT_MS };
    this.#pool = new OriginPool(origin, options, dispatcher);
  }

  place(functionName: string): Place {
    return { provider: PROVIDER, functionName, origin: this.origin };
  }

  /** @throws {FaasError} when there is no complete reply; any status is one */
  send(
    method: HttpRequest['method'],
    path: string,
    functionName: string,
    context: Waits,
    body?: Uint8Array,
  ): Promise<HttpReply> {
    if (this.#closing !== undefined) return Promise.reject(config('is closed. Make a new one'));
    const headers = ['authorization', this.#authorization, 'accept', 'application/json'];
    if (body !== undefined) headers.push('content-type', 'application/json');
    const place = this.place(functionName);
    const message = { origin: this.origin, method, path, headers, body, maxReplyBytes: MAX_REPLY_BYTES };
    if (this.#pool.ready !== undefined) return exchange(this.#pool.ready, message, place, context);
    return untilCancelled(this.#pool.open(), place, context).then((dispatcher) =>
      exchange(dispatcher, message, place, context),
    );
  }

  /** Takes the caller's own credentials out of a text that came from outside. */
  readonly redact = (text: string): string => {
    const [, secret = ''] = this.#authorization.split(' ');
    const plain = Buffer.from(secret, 'base64').toString('utf8');
    const parts = [secret, plain, ...plain.split(':')].filter((part) => part.length >= 8);
    return parts.reduce((clean, part) => clean.replaceAll(part, '[redacted]'), text);
  };

  close(): Promise<void> {
    this.#closing ??= this.#pool.close();
    return this.#closing;
  }
}

/** Nothing that failed here had to do with a run of the function. */
export function notExecuted(failure: unknown): unknown {
  return FaasError.is(failure) ? failure.with({ executed: 'no' }) : failure;
}

/**
 * Of a request that may be sent again: it ran no function, and a reply that is cut off is as good as none.
 * Only for what `send` throws: a complete reply that makes no sense will not make more the next time.
 */
export function repeatable(failure: unknown): unknown {
  const isCutOff = FaasError.is(failure) && failure.code === 'PROTOCOL' && failure.status !== undefined;
  return notExecuted(isCutOff ? failure.with({ code: 'UNAVAILABLE' }) : failure);
}
