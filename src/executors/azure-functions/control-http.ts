/**
 * Requests with a token: to the management API, to an app's deployment service, to the log store. Here alone are they
 * repeated: throttles and outages, a token that was refused, someone else's change of the same resource.
 */
import { FaasError } from '../../core/errors.js';
import { type CallScope, sleep } from '../../core/scope.js';
import { untilItWorks } from '../shared/control-retry.js';
import { type HttpReply, type HttpRequest, untilCancelled } from '../shared/http.js';
import type { Origins } from '../shared/origins.js';
import { controlError } from './errors.js';
import { PROVIDER, type Settings } from './options.js';
import type { Tokens } from './tokens.js';

const MAX_REPLY_BYTES = 16 * 1024 * 1024;
const MIN_RETRY_MS = 200;
/** Someone else's change of the same resource is waited for this often. */
const CONFLICT_TRIES = 5;

export interface ControlRequest {
  readonly method: HttpRequest['method'];
  readonly url: URL;
  /** Of the token. Default: the management API's. */
  readonly scope?: string;
  readonly body?: Uint8Array | undefined;
  /** Names and values in turn. */
  readonly headers?: readonly string[];
  /** The server explains itself in plain text, or not at all: a status is then enough. Default: in JSON, or it is not the server. */
  readonly plainErrors?: boolean;
  /** What it is about, for errors: the name of an app or of a resource. */
  readonly what: string;
}

export class ControlHttp {
  readonly #settings: Settings;
  readonly #tokens: Tokens;
  readonly #origins: Origins;

  constructor(settings: Settings, tokens: Tokens, origins: Origins) {
    this.#settings = settings;
    this.#tokens = tokens;
    this.#origins = origins;
  }

  /**
   * Every request that comes here may be repeated: it reads, or it sets what is to be.
   * @throws {FaasError} `executed: no`, for every status of 300 and more
   */
  async send(request: ControlRequest, scope: CallScope): Promise<HttpReply> {
    const { pollMs } = this.#settings;
    for (let tries = 1; ; tries += 1) {
      try {
        return await untilItWorks(scope, () => this.#once(request, scope), Math.min(MIN_RETRY_MS, pollMs));
      } catch (failure) {
        const isBusy = FaasError.is(failure) && failure.code === 'CONFLICT';
        if (!isBusy || tries === CONFLICT_TRIES) throw failure;
        await sleep(failure.retryAfterMs ?? pollMs, scope);
      }
    }
  }

  async #once(request: ControlRequest, scope: CallScope): Promise<HttpReply> {
    const { url, what, scope: tokenScope = this.#settings.scope } = request;
    const place = { provider: PROVIDER, functionName: what, origin: url.origin };
    const token = async () => (await untilCancelled(this.#tokens.get(tokenScope), place, scope)).token;
    const first = await token();
    let reply = await this.#exchange(request, first, scope);
    if (reply.status === 401) {
      this.#tokens.forget(tokenScope, first);
      const renewed = await token();
      if (renewed !== first) reply = await this.#exchange(request, renewed, scope);
    }
    if (reply.status >= 300) throw controlError(reply, place, request.plainErrors === true);
    return reply;
  }

  async #exchange(
    { method, url, body, headers = [], what }: ControlRequest,
    token: string,
    scope: CallScope,
  ): Promise<HttpReply> {
    const message = {
      origin: url.origin,
      method,
      path: `${url.pathname}${url.search}`,
      headers: ['authorization', `Bearer ${token}`, ...headers],
      body,
      maxReplyBytes: MAX_REPLY_BYTES,
    };
    const place = { provider: PROVIDER, functionName: what, origin: url.origin };
    try {
      return await this.#origins.send(message, place, scope);
    } catch (failure) {
      if (!FaasError.is(failure)) throw failure;
      // A reply that broke off: what was asked for may be done, and asking again finds it.
      const isLost = failure.code === 'PROTOCOL' && failure.cause !== undefined;
      throw failure.with({ executed: 'no', ...(isLost && { code: 'UNAVAILABLE' }) });
    }
  }
}
