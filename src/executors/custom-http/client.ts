/** Everything that is sent to the platform goes through here: sockets, credentials, one renewal after a 401. */
import { FaasError } from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import { exchange, type HttpReply, type HttpRequest, untilCancelled } from '../shared/http.js';
import { OriginPool, type OriginPoolOptions } from '../shared/origin-pool.js';
import type { Place } from '../shared/transport-error.js';
import { type Authorization, BearerFunction, ClientCredentials, StaticBearer } from './auth.js';
import type { Redact } from './errors.js';
import { type AuthOptions, config, PROVIDER, type Settings } from './options.js';

/** Where a request goes, and whether it may carry credentials. */
export interface Destination {
  readonly pool: OriginPool;
  readonly trusted: boolean;
  readonly place: Place;
}

/** The part of a request that its destination does not settle. */
export type Message = Pick<HttpRequest, 'method' | 'path' | 'body'> & { readonly headers: readonly string[] };

type Waiting = Pick<CallContext, 'onCancel'>;

export class PlatformClient {
  readonly #settings: Settings;
  readonly #pools = new Map<string, OriginPool>();
  readonly #auth: Authorization | undefined;
  #closing: Promise<void> | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#auth = settings.auth === undefined ? undefined : this.#authorization(settings.auth);
  }

  /** The destination of a function at `origin`, by default that of `baseUrl`. */
  destination(functionName: string, origin: string = this.#settings.origin): Destination {
    const trusted = origin === this.#settings.origin || this.#settings.endpointAuth;
    return {
      pool: this.#pool(origin, trusted),
      trusted,
      place: { provider: PROVIDER, functionName, origin },
    };
  }

  /**
   * Sends a message and resolves to the reply, whatever its status.
   * @throws {FaasError} when there is no complete reply.
   */
  send(to: Destination, message: Message, context: Waiting): Promise<HttpReply> {
    if (this.#closing !== undefined) return Promise.reject(config('is closed. Make a new one'));
    if (this.#auth === undefined || !to.trusted) return this.#exchange(to, message, undefined, context);
    return this.#sendWith(this.#auth, to, message, context);
  }

  /** Takes the caller's own credentials out of a text that came from outside. */
  readonly redact: Redact = (text) => {
    let clean = text;
    for (const secret of this.#secrets()) clean = clean.replaceAll(secret, '[redacted]');
    return clean;
  };

  /** Requests in flight may finish; new ones fail with CONFIG. */
  close(): Promise<void> {
    this.#closing ??= Promise.all([...this.#pools.values()].map((pool) => pool.close())).then(() => {});
    return this.#closing;
  }

  async #sendWith(
    auth: Authorization,
    to: Destination,
    message: Message,
    context: Waiting,
  ): Promise<HttpReply> {
    const header = auth.header();
    const first = typeof header === 'string' ? header : await untilCancelled(header, to.place, context);
    const reply = await this.#exchange(to, message, first, context);
    if (reply.status !== 401) return reply;
    // A 401 is given before anything runs, so the same attempt may be made once with fresh credentials.
    const renewed = await untilCancelled(auth.renew(first), to.place, context);
    return renewed === undefined ? reply : this.#exchange(to, message, renewed, context);
  }

  #exchange(
    to: Destination,
    message: Message,
    authorization: string | undefined,
    context: Waiting,
  ): Promise<HttpReply> {
    const { pool, trusted, place } = to;
    const { method, path, body } = message;
    const headers = trusted ? [...this.#settings.headers, ...message.headers] : [...message.headers];
    if (authorization !== undefined) headers.push('authorization', authorization);
    const { maxResponseBytes: maxReplyBytes } = this.#settings;
    const request = { origin: pool.origin, method, path, headers, body, maxReplyBytes };
    if (pool.ready !== undefined) return exchange(pool.ready, request, place, context);
    return untilCancelled(pool.open(), place, context).then((dispatcher) =>
      exchange(dispatcher, request, place, context),
    );
  }

  #pool(origin: string, trusted: boolean): OriginPool {
    // A pool that may show our certificate is never shared with a destination that must not see it.
    const key = `${origin} ${trusted}`;
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      pool = new OriginPool(origin, poolOptions(this.#settings, origin, trusted), this.#settings.dispatcher);
      this.#pools.set(key, pool);
    }
    return pool;
  }

  #authorization(auth: AuthOptions): Authorization {
    if ('oauth2' in auth) {
      const { origin } = new URL(auth.oauth2.tokenUrl);
      return new ClientCredentials(auth.oauth2, this.#pool(origin, false));
    }
    return typeof auth.bearer === 'string' ? new StaticBearer(auth.bearer) : new BearerFunction(auth.bearer);
  }

  #secrets(): string[] {
    const secrets = [...(this.#auth?.secrets() ?? [])];
    const { headers } = this.#settings;
    // Any header may be a key. Very short values are words, and replacing them would spoil the text.
    for (let at = 1; at < headers.length; at += 2) {
      const value = headers[at] as string;
      if (value.length >= 8) secrets.push(value);
    }
    return secrets;
  }
}

/** The net under calls without a deadline: longer than any function may run. */
const SILENCE_MARGIN_MS = 100_000;
const LONGEST_FUNCTION_SECS = 900;

function poolOptions(settings: Settings, origin: string, trusted: boolean): OriginPoolOptions {
  const { connections, connectTimeoutMs, limits, tls } = settings;
  const maxSecs = limits.timeoutSecs?.max ?? LONGEST_FUNCTION_SECS;
  return {
    connections,
    connectTimeoutMs,
    silenceTimeoutMs: Math.ceil(maxSecs * 1000) + SILENCE_MARGIN_MS,
    tls: tlsFor(tls, origin === settings.origin, trusted),
  };
}

/** Another origin gets the trust, and who we are only with `endpointAuth`; `servername` belongs to one host. */
function tlsFor(tls: Settings['tls'], own: boolean, trusted: boolean): Settings['tls'] {
  if (tls === undefined || own) return tls;
  const { servername: _, ...all } = tls;
  if (trusted) return all;
  return tls.ca === undefined ? undefined : { ca: tls.ca };
}

/** Guards a caller's own code: what it throws becomes a CONFIG error that names the option. */
export function callOption<T>(option: string, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    if (FaasError.is(cause)) throw cause;
    throw config(`\`${option}\` threw an error`).with({ cause });
  }
}
