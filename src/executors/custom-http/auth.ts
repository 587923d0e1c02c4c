/** Who we are to the platform: a fixed token, a token asked for each time, or OAuth 2.0 client credentials. */
import { FaasError } from '../../core/errors.js';
import { CallScope } from '../../core/scope.js';
import { exchange, type HttpReply } from '../shared/http.js';
import type { OriginPool } from '../shared/origin-pool.js';
import type { Place } from '../shared/transport-error.js';
import { config, type OAuth2Auth, PROVIDER } from './options.js';
import { parseObject } from './wire.js';

/** Gives the value of the Authorization header. */
export interface Authorization {
  /** At once where nothing must be fetched. */
  header(): string | Promise<string>;
  /** After a 401 for `refused`: another value worth one more request, or undefined. */
  renew(refused: string): Promise<string | undefined>;
  /** What must never be read in an error. */
  secrets(): readonly string[];
}

export class StaticBearer implements Authorization {
  readonly #header: string;
  readonly #secrets: readonly string[];

  constructor(token: string) {
    this.#header = bearer(token);
    this.#secrets = [token];
  }

  header(): string {
    return this.#header;
  }

  renew(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  secrets(): readonly string[] {
    return this.#secrets;
  }
}

export class BearerFunction implements Authorization {
  readonly #ask: () => string | Promise<string>;
  // The newest only: an older one is worth nothing once this one was handed out.
  #last: string | undefined;

  constructor(ask: () => string | Promise<string>) {
    this.#ask = ask;
  }

  header(): string | Promise<string> {
    let token: string | Promise<string>;
    try {
      token = this.#ask();
    } catch (cause) {
      throw askFailed(cause);
    }
    return typeof token === 'string' ? this.#keep(token) : this.#wait(token);
  }

  async renew(refused: string): Promise<string | undefined> {
    const header = await this.header();
    return header === refused ? undefined : header;
  }

  secrets(): readonly string[] {
    return this.#last === undefined ? [] : [this.#last];
  }

  async #wait(token: Promise<string>): Promise<string> {
    let value: string;
    try {
      value = await token;
    } catch (cause) {
      throw askFailed(cause);
    }
    return this.#keep(value);
  }

  #keep(token: string): string {
    const header = bearer(token);
    this.#last = token;
    return header;
  }
}

const TOKEN_TIMEOUT_MS = 30_000;
const MAX_TOKEN_REPLY_BYTES = 1024 * 1024;
/** Renewed this long before it expires, or at half its life when that is shorter. */
const EARLY_MS = 60_000;

interface Token {
  readonly header: string;
  readonly secret: string;
  /** By the monotonic clock: a jump of the wall clock must not keep a dead token. */
  readonly renewAtMs: number;
}

export class ClientCredentials implements Authorization {
  readonly #options: OAuth2Auth['oauth2'];
  readonly #pool: OriginPool;
  readonly #place: Place;
  #token: Token | undefined;
  #fetching: Promise<Token> | undefined;

  constructor(options: OAuth2Auth['oauth2'], pool: OriginPool) {
    this.#options = options;
    this.#pool = pool;
    this.#place = { provider: PROVIDER, functionName: 'the token endpoint', origin: pool.origin };
  }

  header(): string | Promise<string> {
    const token = this.#token;
    if (token !== undefined && performance.now() < token.renewAtMs) return token.header;
    return this.#fetchOnce();
  }

  async renew(refused: string): Promise<string | undefined> {
    // Another call may have renewed it since: then its token is worth a try, and no second fetch is made.
    const token = this.#token;
    if (token !== undefined && token.header !== refused) return token.header;
    this.#token = undefined;
    const header = await this.#fetchOnce();
    return header === refused ? undefined : header;
  }

  secrets(): readonly string[] {
    const { clientSecret } = this.#options;
    const basic = basicCredentials(this.#options);
    return this.#token === undefined ? [clientSecret, basic] : [clientSecret, basic, this.#token.secret];
  }

  /** One request however many calls wait for it; one caller's cancellation does not end it for the others. */
  async #fetchOnce(): Promise<string> {
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined;
    });
    return (await this.#fetching).header;
  }

  async #fetch(): Promise<Token> {
    const { tokenUrl, scope, audience } = this.#options;
    const form = new URLSearchParams({ grant_type: 'client_credentials' });
    if (scope !== undefined) form.set('scope', scope);
    if (audience !== undefined) form.set('audience', audience);
    const { origin, pathname, search } = new URL(tokenUrl);
    const context = new CallScope();
    context.arm(TOKEN_TIMEOUT_MS);
    let reply: HttpReply;
    try {
      reply = await exchange(
        this.#pool.ready ?? (await this.#pool.open()),
        {
          origin,
          method: 'POST',
          path: pathname + search,
          headers: [
            'authorization',
            `Basic ${basicCredentials(this.#options)}`,
            'content-type',
            'application/x-www-form-urlencoded',
            'accept',
            'application/json',
          ],
          body: Buffer.from(form.toString()),
          maxReplyBytes: MAX_TOKEN_REPLY_BYTES,
        },
        this.#place,
        context,
      );
    } catch (failure) {
      // The function has certainly not run: its request was never made.
      throw FaasError.is(failure) ? failure.with({ executed: 'no' }) : failure;
    } finally {
      context.disarm();
    }
    this.#token = this.#read(reply);
    return this.#token;
  }

  #read(reply: HttpReply): Token {
    const body = parseObject(reply.body.toString('utf8'));
    const token = body?.['access_token'];
    const type = body?.['token_type'];
    const usable = typeof type !== 'string' || type.toLowerCase() === 'bearer';
    if (reply.status !== 200 || typeof token !== 'string' || !usable) {
      throw this.#refused(reply.status, body?.['error']);
    }
    const lifeMs = Number(body?.['expires_in']) * 1000;
    // Without a stated life the token is kept until a 401.
    const renewInMs = lifeMs > 0 ? lifeMs - Math.min(EARLY_MS, lifeMs / 2) : Infinity;
    return { header: bearer(token), secret: token, renewAtMs: performance.now() + renewInMs };
  }

  #refused(status: number, error: unknown): FaasError {
    // RFC 6749, 5.2: a word such as invalid_client. Anything else is not repeated.
    const word = typeof error === 'string' && /^[a-z_]{1,60}$/.test(error) ? `, ${error}` : '';
    const busy = status === 429 || status >= 500;
    return new FaasError({
      code: busy ? 'UNAVAILABLE' : 'AUTH',
      executed: 'no',
      provider: PROVIDER,
      status,
      message: `${this.#place.origin} gave no token (HTTP ${status}${word}). Check auth.oauth2: tokenUrl, clientId, clientSecret, scope, audience.`,
    });
  }
}

/** Client id and secret are form-encoded before they are joined (RFC 6749, 2.3.1). */
function basicCredentials({ clientId, clientSecret }: OAuth2Auth['oauth2']): string {
  const encode = (part: string) => new URLSearchParams({ '': part }).toString().slice(1);
  return Buffer.from(`${encode(clientId)}:${encode(clientSecret)}`).toString('base64');
}

// RFC 6750 names fewer characters; this refuses only what no header can carry.
const TOKEN = /^[\x21-\x7e]+$/;

/** @throws {FaasError} CONFIG, without showing the token. */
function bearer(token: unknown): string {
  if (typeof token === 'string' && TOKEN.test(token)) return `Bearer ${token}`;
  throw config(
    'the bearer token is empty or holds characters no header can carry, such as a blank or a line end',
  );
}

function askFailed(cause: unknown): FaasError {
  if (FaasError.is(cause)) return cause;
  return new FaasError({
    code: 'AUTH',
    executed: 'no',
    provider: PROVIDER,
    message: 'The `auth.bearer` function failed, so the request was not sent.',
    cause,
  });
}
