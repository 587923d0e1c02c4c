/** Who asks: what is put on a request to prove it, and how to keep it out of every text. */
import { FaasError } from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import { type HttpReply, type HttpRequest, untilCancelled } from '../shared/http.js';
import { inScope } from '../shared/in-scope.js';
import type { Place } from '../shared/transport-error.js';

export type Waits = Pick<CallContext, 'onCancel'>;

/** A secret, or what fetches it each time it is needed. */
export type Secret = string | (() => string | Promise<string>);

export interface TokenExchange {
  /** An OIDC id token of your identity provider. */
  readonly idToken: Secret;
  /** For example `openfaas-fn:jobferry-job-7`. */
  readonly audience?: readonly string[];
  /** `function` for tokens that call functions. */
  readonly scope?: string;
}

/** How a gateway knows its caller: Basic (CE), a token of yours, or one that it gives for an id token (IAM). */
export type GatewayAuth =
  | { readonly basic: { readonly user: string; readonly password: Secret } }
  | { readonly bearer: Secret }
  | { readonly exchange: TokenExchange };

/** The value of `authorization`; `renew` after a 401. */
export interface Credentials {
  authorization(context: Waits): Promise<string | undefined>;
  /** Forgets what may have gone stale; false when there is nothing that could. */
  renew(): boolean;
  /** Takes what was sent as proof out of a text that came from outside. */
  redact(text: string): string;
}

type Send = (request: Omit<HttpRequest, 'origin' | 'maxReplyBytes'>, context: Waits) => Promise<HttpReply>;

/** go-sdk treats tokens as expired this long before they are. */
const EARLY_MS = 10_000;
const DEFAULT_LIFE_SECS = 300;
const EXCHANGE_TIMEOUT_MS = 30_000;

/**
 * @param send reaches the gateway, for token exchange
 * @param place of the gateway, for errors
 * @param secrets that are sent in other ways, to be kept out of texts too
 */
export function credentialsOf(
  auth: GatewayAuth | undefined,
  send: Send,
  place: Place,
  secrets: readonly string[] = [],
): Credentials {
  const seen = new Set(secrets);
  const keep = (secret: string): string => {
    seen.add(secret);
    return secret;
  };
  const redact = (text: string) =>
    [...seen]
      .filter((one) => one.length >= 4)
      .sort((a, b) => b.length - a.length)
      .reduce((clean, one) => clean.replaceAll(one, '[redacted]'), text);
  if (auth === undefined) return { authorization: async () => undefined, renew: () => false, redact };
  if ('basic' in auth) {
    const { user, password } = auth.basic;
    const authorization = async () => {
      const pair = Buffer.from(`${user}:${keep(await read(password))}`).toString('base64');
      return `Basic ${keep(pair)}`;
    };
    return { authorization, renew: () => typeof password === 'function', redact };
  }
  if ('bearer' in auth) {
    const { bearer } = auth;
    const authorization = async () => `Bearer ${keep(await read(bearer))}`;
    return { authorization, renew: () => typeof bearer === 'function', redact };
  }
  return exchanged(auth.exchange, send, place, keep, redact);
}

function exchanged(
  exchange: TokenExchange,
  send: Send,
  place: Place,
  keep: (secret: string) => string,
  redact: (text: string) => string,
): Credentials {
  let current: { readonly token: string; readonly untilMs: number } | undefined;
  let fetching: Promise<string> | undefined;
  const fetchToken = async (context: Waits): Promise<string> => {
    const form = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
      subject_token: keep(await read(exchange.idToken)),
    });
    for (const audience of exchange.audience ?? []) form.append('audience', audience);
    if (exchange.scope !== undefined) form.set('scope', exchange.scope);
    const headers = ['content-type', 'application/x-www-form-urlencoded', 'accept', 'application/json'];
    const body = Buffer.from(form.toString());
    const reply = await send({ method: 'POST', path: '/oauth/token', headers, body }, context);
    const fields = parse(reply.body);
    const { access_token: token, expires_in: lifeSecs } = fields;
    if (reply.status !== 200 || typeof token !== 'string' || token === '') {
      throw refused(reply.status, redact(String(fields['error_description'] ?? fields['error'] ?? '')));
    }
    const lifeMs = (typeof lifeSecs === 'number' ? lifeSecs : DEFAULT_LIFE_SECS) * 1000;
    current = { token: keep(token), untilMs: Date.now() + lifeMs - EARLY_MS };
    return token;
  };
  return {
    async authorization(context) {
      if (current !== undefined && Date.now() < current.untilMs) return `Bearer ${current.token}`;
      // One exchange for all that wait, none of whom may end it for the others.
      fetching ??= inScope(undefined, EXCHANGE_TIMEOUT_MS, fetchToken).finally(() => {
        fetching = undefined;
      });
      return `Bearer ${await untilCancelled(fetching, place, context)}`;
    },
    renew() {
      current = undefined;
      return true;
    },
    redact,
  };
}

function refused(status: number, said: string): FaasError {
  const transient = status >= 500 || status === 429;
  return new FaasError({
    code: transient ? 'UNAVAILABLE' : 'AUTH',
    executed: 'no',
    status,
    message: `The gateway gave no token for the id token (HTTP ${status}${said === '' ? '' : `: ${said.slice(0, 200)}`}). Check \`auth.exchange\`.`,
  });
}

async function read(secret: Secret): Promise<string> {
  return typeof secret === 'string' ? secret : await secret();
}

function parse(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  } catch {
    return {};
  }
}
