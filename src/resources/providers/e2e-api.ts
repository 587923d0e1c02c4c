/** Requests to `/faas/api/v1`: credentials, tries, time limits, and the words of refusals without any secret. */
import { setTimeout as delay } from 'node:timers/promises';
import { FaasError, type FaasErrorCode, type FaasErrorOptions } from '../../core/errors.js';
import type { Endpoint } from '../core/endpoints.js';
import { redacted } from '../core/redact.js';

export interface E2eApiOptions {
  /** The URL that ends in `/faas/api/v1`. */
  readonly endpoint: string;
  /** Sent as `Authorization: Bearer`. */
  readonly authToken?: string;
  /** Sent as the query `apikey`, and shown nowhere. */
  readonly apiKey?: string;
  /** As files name it. Default `e2e-platform`. */
  readonly name?: string;
  /** For one request, its answer included. Default 60000. */
  readonly requestTimeoutMs?: number;
}

export type Json = Readonly<Record<string, unknown>>;

interface Request {
  readonly body?: object;
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** What no text may show of this request, beside the credentials. */
  readonly secret?: string;
}

const VARIABLE = 'SERVICE_API_ENDPOINT';
const TRIES = 3;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;
const SHOWN_CHARACTERS = 200;

const CODES: Readonly<Record<number, FaasErrorCode>> = {
  400: 'INVALID_REQUEST',
  401: 'AUTH',
  403: 'AUTH',
  404: 'NOT_FOUND',
  408: 'UNAVAILABLE',
  409: 'CONFLICT',
  413: 'PAYLOAD_TOO_LARGE',
  422: 'INVALID_REQUEST',
  429: 'THROTTLED',
};

export class E2eApi {
  readonly endpoint: Endpoint;
  readonly #base: string;
  readonly #options: E2eApiOptions;
  readonly #name: string;

  constructor(options: E2eApiOptions) {
    this.#options = options;
    this.#name = options.name ?? 'e2e-platform';
    this.#base = options.endpoint.replace(/\/+$/, '');
    if (!URL.canParse(this.#base)) throw this.#error('CONFIG', `its endpoint is no URL: set ${VARIABLE}`);
    // Or the refusal of the header would quote it.
    if (options.authToken !== undefined && !/^[\x21-\x7e]+$/.test(options.authToken)) {
      throw this.#error('CONFIG', 'the auth token has a character that no header takes, perhaps a line end');
    }
    const { origin, pathname } = new URL(this.#base);
    this.endpoint = { url: `${origin}${pathname}`, variable: VARIABLE };
  }

  /**
   * An API always has its lists, also empty ones.
   * @throws {FaasError} CONFIG where there is no such list: this is not the API
   */
  async list(
    kind: 'functions' | 'secrets' | 'runtimes',
    signal: AbortSignal,
    query: Request['query'] = {},
  ): Promise<readonly unknown[]> {
    const path = `/${kind}`;
    const reply = await this.send('GET', path, signal, { query }).catch((failure: unknown) => {
      throw isNotFound(failure) ? this.#wrongPlace(`GET ${path} was answered with 404`) : failure;
    });
    const fields = reply as Json | null | undefined;
    const list = Array.isArray(reply) ? reply : (fields?.[kind] ?? fields?.['data'] ?? null);
    if (Array.isArray(list)) return list;
    // Some servers write an empty list so.
    if (reply === null || (fields !== undefined && kind in (fields as Json) && list === null)) return [];
    throw this.#wrongPlace(`GET ${path} was answered with no list`);
  }

  /** Undefined when it is not there, which a 404 alone does not tell: any wrong address gives one. */
  async read(path: string, signal: AbortSignal): Promise<Json | undefined> {
    try {
      return (await this.send('GET', path, signal)) ?? undefined;
    } catch (failure) {
      if (!isNotFound(failure)) throw failure;
    }
    await this.list('functions', signal);
    return undefined;
  }

  /** Twice is fine. */
  async delete(path: string, signal: AbortSignal, query: Request['query'] = {}): Promise<void> {
    try {
      await this.send('DELETE', path, signal, { query });
    } catch (failure) {
      if (!isNotFound(failure)) throw failure;
      await this.list('functions', signal);
    }
  }

  /** What can be sent twice is tried again while the API is away or busy. */
  async send(
    method: 'GET' | 'PUT' | 'POST' | 'DELETE',
    path: string,
    signal: AbortSignal,
    request: Request = {},
  ): Promise<Json | null | undefined> {
    for (let tries = 1, pauseMs = FIRST_PAUSE_MS; ; tries += 1, pauseMs *= 2) {
      try {
        return await this.#once(method, path, signal, request);
      } catch (failure) {
        const mayRepeat = isPassing(failure) && (method !== 'POST' || failure.executed === 'no');
        if (!mayRepeat || tries === TRIES) throw failure;
        await delay(Math.min(failure.retryAfterMs ?? pauseMs, LONGEST_PAUSE_MS), undefined, { signal });
      }
    }
  }

  async #once(
    method: string,
    path: string,
    signal: AbortSignal,
    { body, query = {}, secret }: Request,
  ): Promise<Json | null | undefined> {
    const { authToken, apiKey, requestTimeoutMs = 60_000 } = this.#options;
    const url = new URL(`${this.#base}${path}`);
    for (const [name, value] of Object.entries({ ...query, apikey: apiKey })) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const limit = AbortSignal.timeout(requestTimeoutMs);
    let response: Response;
    let said: string;
    try {
      response = await fetch(url, {
        method,
        signal: AbortSignal.any([signal, limit]),
        redirect: 'error',
        headers: {
          accept: 'application/json',
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(authToken !== undefined && { authorization: `Bearer ${authToken}` }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      said = await response.text();
    } catch (cause) {
      const what = `${method} ${path}`;
      if (signal.aborted)
        throw this.#error('CANCELLED', `${what} was cancelled`, { executed: 'maybe', cause });
      const refused = (cause as { cause?: { code?: string } }).cause?.code === 'ECONNREFUSED';
      const within = limit.aborted ? ` within ${requestTimeoutMs / 1000} s` : '';
      const executed = refused ? 'no' : 'maybe';
      const remedy = `Check ${VARIABLE}, and whether the API is up there`;
      throw this.#error(
        'UNAVAILABLE',
        `${what} got no answer${within} from ${this.endpoint.url}. ${remedy}`,
        { executed, cause },
      );
    }
    const json = parse(said);
    if (response.ok) return json;
    const { status, headers } = response;
    const reason = textOf(json?.['error']) ?? textOf(json?.['message']) ?? said;
    // Before it is cut: half a secret is one too.
    const shown = redacted(reason, [authToken, apiKey, secret]).slice(0, SHOWN_CHARACTERS);
    const retryAfterMs = Number(headers.get('retry-after') ?? Number.NaN) * 1000;
    throw this.#error(
      CODES[status] ?? 'UNAVAILABLE',
      `${method} ${path} was answered with ${status}: ${shown}`,
      {
        executed: status < 500 ? 'no' : 'maybe',
        status,
        ...(retryAfterMs >= 0 && { retryAfterMs }),
      },
    );
  }

  #wrongPlace(what: string): FaasError {
    return this.#error(
      'CONFIG',
      `${what}, so ${this.endpoint.url} is not the API. Set ${VARIABLE} to the URL that ends in /faas/api/v1`,
    );
  }

  #error(code: FaasErrorCode, what: string, facts: Partial<FaasErrorOptions> = {}): FaasError {
    const message = `${this.#name}: ${what.replace(/\.+$/, '')}.`;
    return new FaasError({ executed: 'no', ...facts, code, provider: this.#name, message });
  }
}

function isPassing(failure: unknown): failure is FaasError {
  return FaasError.is(failure) && (failure.code === 'UNAVAILABLE' || failure.code === 'THROTTLED');
}

function isNotFound(failure: unknown): boolean {
  return FaasError.is(failure) && failure.code === 'NOT_FOUND';
}

function parse(body: string): Json | null | undefined {
  try {
    return body === '' ? undefined : (JSON.parse(body) as Json | null);
  } catch {
    return undefined;
  }
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
