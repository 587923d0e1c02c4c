/** Everything that is sent to the platform goes through here: sockets, credentials, one renewal after a 401. */
import { FaasError } from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import { exchange, type HttpReply, type HttpRequest, untilCancelled } from '../shared/http.js';
import { type HttpStream, openStream } from '../shared/http-stream.js';
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
    if (this.#closing !== undefined) return Promise.reject(closed());
    if (this.#auth === undefined || !to.trusted) return this.#exchange(to, message, undefined, context);
    return authorized(this.#auth, to.place, context, (header) =>
      this.#exchange(to, message, header, context),
    );
  }

  /**
   * The same for a reply that is read while it comes. The caller reads the body to its end or breaks off.
   * @param silenceTimeoutMs the longest the server may say nothing
   */
  async stream(
    to: Destination,
    message: Message,
    context: Waiting & Pick<CallContext, 'signal'>,
    silenceTimeoutMs: number,
  ): Promise<HttpStream> {
    if (this.#closing !== undefined) throw closed();
    const dispatcher = await untilCancelled(to.pool.open(), to.place, context);
    const send = (authorization: string | undefined) =>
      openStream(
        dispatcher,
        this.#request(to, message, authorization),
        to.place,
        context.signal,
        silenceTimeoutMs,
      );
    if (this.#auth === undefined || !to.trusted) return send(undefined);
    return authorized(this.#auth, to.place, context, send);
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

  #exchange(
    to: Destination,
    message: Message,
    authorization: string | undefined,
    context: Waiting,
  ): Promise<HttpReply> {
    const { pool, place } = to;
    const request = this.#request(to, message, authorization);
    if (pool.ready !== undefined) return exchange(pool.ready, request, place, context);
    return untilCancelled(pool.open(), place, context).then((dispatcher) =>
      exchange(dispatcher, request, place, context),
    );
  }

  #request(
    { pool, trusted }: Destination,
    { method, path, body, headers: own }: Message,
    authorization: string | undefined,
  ): HttpRequest {
    const headers = trusted ? [...this.#settings.headers, ...own] : [...own];
    if (authorization !== undefined) headers.push('authorization', authorization);
    return {
      origin: pool.origin,
      method,
      path,
      headers,
      body,
      maxReplyBytes: this.#settings.maxResponseBytes,
      maxReplyOption: 'maxResponseBytes',
    };
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

/** Sends with credentials, and once more with fresh ones when those were refused. */
async function authorized<Reply extends { readonly status: number }>(
  auth: Authorization,
  place: Place,
  context: Waiting,
  send: (authorization: string) => Promise<Reply>,
): Promise<Reply> {
  const header = auth.header();
  const first = typeof header === 'string' ? header : await untilCancelled(header, place, context);
  const reply = await send(first);
  if (reply.status !== 401) return reply;
  // A 401 is given before anything runs, so the same attempt may be made once with fresh credentials.
  const renewed = await untilCancelled(auth.renew(first), place, context);
  return renewed === undefined ? reply : send(renewed);
}

/** The error of everything that is asked of a closed executor. */
export function closed(): FaasError {
  return config('is closed. Make a new one');
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
