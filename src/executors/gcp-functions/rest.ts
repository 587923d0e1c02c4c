/** The APIs beside the client: the signed upload URL, Cloud Run's policies, logs. All by plain HTTP. */
import { FaasError } from '../../core/errors.js';
import type { CallScope } from '../../core/scope.js';
import { isTransient, untilItWorks } from '../shared/control-retry.js';
import { type HttpReply, type HttpRequest, untilCancelled } from '../shared/http.js';
import { parseObject } from '../shared/json.js';
import type { Origins } from '../shared/origins.js';
import type { Place } from '../shared/transport-error.js';
import { restError, uploadError } from './errors.js';
import { PROVIDER, type Settings } from './options.js';
import type { Tokens } from './tokens.js';

const MAX_REPLY_BYTES = 16 * 1024 * 1024;
const MIN_RETRY_DELAY_MS = 200;

export class Rest {
  readonly #settings: Settings;
  readonly #tokens: Tokens;
  readonly #origins: Origins;

  constructor(settings: Settings, tokens: Tokens, origins: Origins) {
    this.#settings = settings;
    this.#tokens = tokens;
    this.#origins = origins;
  }

  /** May be repeated: it is the same object each time. No Authorization header: the URL is signed. */
  async upload(signedUrl: string, zip: Uint8Array, functionName: string, scope: CallScope): Promise<void> {
    const url = new URL(signedUrl);
    const headers = ['content-type', 'application/zip'];
    // A signed header that is missing makes the signature a wrong one.
    const signed = url.searchParams.get('X-Goog-SignedHeaders')?.split(';') ?? [];
    if (signed.includes('x-goog-content-length-range'))
      headers.push('x-goog-content-length-range', '0,104857600');
    const place = { provider: PROVIDER, functionName, origin: url.origin };
    const path = `${url.pathname}${url.search}`;
    await this.#repeat(scope, async () => {
      const request = { origin: url.origin, method: 'PUT' as const, path, headers, body: zip };
      const reply = await this.#send({ ...request, maxReplyBytes: MAX_REPLY_BYTES }, place, scope);
      if (reply.status < 200 || reply.status > 299) throw uploadError(reply, place);
    });
  }

  /** Entries of Cloud Logging, one page. */
  entries(body: object, functionName: string, scope: CallScope): Promise<Readonly<Record<string, unknown>>> {
    const url = new URL('/v2/entries:list', this.#settings.loggingEndpoint);
    return this.call('POST', url, body, functionName, scope);
  }

  /** @throws {FaasError} for everything but a 2xx with a JSON object */
  async call(
    method: 'GET' | 'POST',
    url: URL,
    body: object | undefined,
    functionName: string,
    scope: CallScope,
  ): Promise<Readonly<Record<string, unknown>>> {
    const place = { provider: PROVIDER, functionName, origin: url.origin };
    const request = {
      origin: url.origin,
      method,
      path: `${url.pathname}${url.search}`,
      body: body === undefined ? undefined : Buffer.from(JSON.stringify(body)),
      maxReplyBytes: MAX_REPLY_BYTES,
    };
    return this.#repeat(scope, async () => {
      let reply = await this.#authorized(request, place, scope);
      if (reply.status === 401) {
        await untilCancelled(this.#tokens.forgetAccess(), place, scope);
        reply = await this.#authorized(request, place, scope);
      }
      const fields = parseObject(reply.body);
      if (reply.status >= 200 && reply.status < 300 && fields !== undefined) return fields;
      throw restError(reply, place);
    });
  }

  async #authorized(
    request: Omit<HttpRequest, 'headers'>,
    place: Place,
    scope: CallScope,
  ): Promise<HttpReply> {
    const token = await untilCancelled(this.#tokens.access(), place, scope);
    const headers = ['authorization', `Bearer ${token}`, 'accept', 'application/json'];
    if (request.body !== undefined) headers.push('content-type', 'application/json');
    return this.#send({ ...request, headers }, place, scope);
  }

  #repeat<Output>(scope: CallScope, work: () => Promise<Output>): Promise<Output> {
    return untilItWorks(scope, work, Math.min(this.#settings.pollMs, MIN_RETRY_DELAY_MS));
  }

  /** A request that broke off: nothing here runs a function. */
  #send(request: HttpRequest, place: Place, scope: CallScope): Promise<HttpReply> {
    return this.#origins.send(request, place, scope).catch((failure: unknown) => {
      if (!FaasError.is(failure)) throw failure;
      const { code } = failure;
      const isLost = code === 'PROTOCOL' || isTransient(failure);
      throw failure.with({ executed: 'no', code: isLost ? 'UNAVAILABLE' : code });
    });
  }
}
