/** Requests to the control plane of one profile: base URL, query, credentials, JSON, and the texts of refusals. */
import type { Dispatcher } from 'undici';
import { FaasError } from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import { exchange, type HttpReply, type HttpRequest, untilCancelled } from '../shared/http.js';
import { type HttpStream, openStream } from '../shared/http-stream.js';
import { OriginPool } from '../shared/origin-pool.js';
import type { Place } from '../shared/transport-error.js';
import { type Credentials, credentialsOf, type Waits } from './auth.js';
import { controlError } from './errors.js';
import { PROVIDER } from './options.js';
import { config, type Settings } from './settings.js';

/** A list of functions with their environments can be long. */
const MAX_REPLY_BYTES = 64 * 1024 * 1024;
const SILENCE_TIMEOUT_MS = 120_000;

export interface ApiRequest {
  readonly method: HttpRequest['method'];
  /** After the base URL, each step encoded: `/system/functions`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: object;
  /** Named in errors: a function, a secret, the list of functions. */
  readonly what: string;
}

export class Api {
  readonly #settings: Settings;
  readonly #pool: OriginPool;
  readonly #credentials: Credentials;
  #closing: Promise<void> | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    const { connections, connectTimeoutMs, dispatcher } = settings;
    const options = { connections, connectTimeoutMs, silenceTimeoutMs: SILENCE_TIMEOUT_MS };
    this.#pool = new OriginPool(settings.url.origin, options, dispatcher);
    const send = (request: Omit<HttpRequest, 'origin' | 'maxReplyBytes'>, context: Waits) =>
      this.#exchange({ ...request, path: `${this.#base}${request.path}` }, 'the token', context);
    this.#credentials = credentialsOf(settings.auth, send, this.place('the token'), settings.secrets);
  }

  place(functionName: string): Place {
    return { provider: PROVIDER, functionName, origin: this.#settings.url.origin };
  }

  /**
   * Any status is a reply.
   * @throws {FaasError} when there is no complete reply
   */
  async ask(request: ApiRequest, context: Waits): Promise<HttpReply> {
    let reply = await this.#once(request, context);
    // Refused before anything was done: a token may have gone stale.
    if (reply.status === 401 && this.#credentials.renew()) reply = await this.#once(request, context);
    return reply;
  }

  /** @param accepted besides every 2xx: statuses that are an answer too, such as the 404 of something to delete */
  async send(request: ApiRequest, context: Waits, accepted: readonly number[] = []): Promise<HttpReply> {
    const reply = await this.ask(request, context);
    if ((reply.status >= 200 && reply.status < 300) || accepted.includes(reply.status)) return reply;
    throw this.refusal(reply, request.what);
  }

  refusal(reply: HttpReply, what: string): FaasError {
    return controlError(reply, this.place(what), this.#credentials.redact);
  }

  /** For replies that are read while they come. Any status. */
  async stream(request: ApiRequest, context: CallContext, silenceTimeoutMs: number): Promise<HttpStream> {
    const { origin } = this.#settings.url;
    const message = { origin, ...(await this.#message(request, context)) };
    const dispatcher = await untilCancelled(this.#open(), this.place(request.what), context);
    return openStream(dispatcher, message, this.place(request.what), context.signal, silenceTimeoutMs);
  }

  /** Lets requests in flight finish and closes the sockets. */
  close(): Promise<void> {
    this.#closing ??= this.#pool.close();
    return this.#closing;
  }

  async #once(request: ApiRequest, context: Waits): Promise<HttpReply> {
    return this.#exchange(await this.#message(request, context), request.what, context);
  }

  async #message({ method, path, query, body }: ApiRequest, context: Waits) {
    const headers = ['accept', 'application/json', 'user-agent', 'jobferry'];
    const authorization = await this.#credentials.authorization(context);
    if (authorization !== undefined) headers.push('authorization', authorization);
    if (body !== undefined) headers.push('content-type', 'application/json');
    const target = `${this.#base}${path}${this.#search(query)}`;
    return { method, path: target, headers, body: body && Buffer.from(JSON.stringify(body)) };
  }

  get #base(): string {
    return this.#settings.url.pathname.replace(/\/+$/, '');
  }

  #search(query: ApiRequest['query']): string {
    const all = Object.entries({ ...query, ...this.#settings.query });
    const given = all.filter((pair): pair is [string, string] => pair[1] !== undefined);
    return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
  }

  async #exchange(
    request: Omit<HttpRequest, 'origin' | 'maxReplyBytes'>,
    what: string,
    context: Waits,
  ): Promise<HttpReply> {
    const { origin } = this.#settings.url;
    const message = { ...request, origin, maxReplyBytes: MAX_REPLY_BYTES };
    const dispatcher = await untilCancelled(this.#open(), this.place(what), context);
    return exchange(dispatcher, message, this.place(what), context);
  }

  async #open(): Promise<Dispatcher> {
    if (this.#closing !== undefined) throw config('is closed. Make a new one');
    return this.#pool.open();
  }
}

/**
 * May a create have been done although it failed? Its answer was lost, or a gateway failed on the way: it must not be
 * sent again before somebody has looked.
 */
export function isDoubtful(failure: unknown): boolean {
  if (!FaasError.is(failure)) return false;
  return failure.status === undefined ? failure.executed !== 'no' : failure.status >= 500;
}

/** For what leaves the control plane: whatever broke off there, no function ran by it. */
export function notExecuted(failure: unknown): unknown {
  return FaasError.is(failure) ? failure.with({ executed: 'no' }) : failure;
}
