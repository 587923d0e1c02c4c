/** Tokens of google-auth-library, kept as long as they are good: access tokens for APIs, ID tokens for functions. */
import type { GoogleAuth } from 'google-auth-library';
import { FaasError } from '../../core/errors.js';
import { importPeer } from '../shared/peers.js';
import { PROVIDER, type Settings } from './options.js';

const SCOPES = ['https://www.googleapis.com/auth/cloud-platform'];
/** Renewed this long before it ends: a call that waits in a queue must not arrive with a dead token. */
const EARLY_MS = 300_000;

interface Token {
  readonly text: string;
  readonly goodUntilMs: number;
}

export class Tokens {
  readonly #given: GoogleAuth | undefined;
  readonly #identity = new Map<string, Token>();
  readonly #renewing = new Map<string, Promise<string>>();
  readonly #project: string;
  #auth: Promise<GoogleAuth> | undefined;

  constructor({ auth, project }: Pick<Settings, 'auth' | 'project'>) {
    this.#given = auth;
    this.#project = project;
  }

  /** For Google's APIs. @throws {FaasError} AUTH, with what was looked for */
  async access(): Promise<string> {
    try {
      const token = await (await this.auth()).getAccessToken();
      if (token) return token;
    } catch (cause) {
      throw explain('an access token', cause);
    }
    throw explain('an access token', new Error('there is none'));
  }

  /** The next access token is a new one: Google has refused the one that is kept. */
  async forgetAccess(): Promise<void> {
    const client = await (await this.auth()).getClient();
    client.credentials = { ...client.credentials, access_token: null, expiry_date: null };
  }

  /** An ID token for exactly this audience; undefined when it has to be fetched first. */
  identityNow(audience: string): string | undefined {
    const token = this.#identity.get(audience);
    return token !== undefined && token.goodUntilMs > Date.now() ? token.text : undefined;
  }

  /** One request however many calls wait. @throws {FaasError} AUTH */
  identity(audience: string): Promise<string> {
    const known = this.identityNow(audience);
    if (known !== undefined) return Promise.resolve(known);
    let renewing = this.#renewing.get(audience);
    if (renewing === undefined) {
      renewing = this.#fetch(audience).finally(() => this.#renewing.delete(audience));
      this.#renewing.set(audience, renewing);
    }
    return renewing;
  }

  /** The function refused this one. */
  forget(audience: string, token: string): void {
    if (this.#identity.get(audience)?.text === token) this.#identity.delete(audience);
  }

  auth(): Promise<GoogleAuth> {
    if (this.#given !== undefined) return Promise.resolve(this.#given);
    this.#auth ??= importPeer(
      'CloudFunctionExecutor',
      'google-auth-library',
      () => import('google-auth-library'),
    ).then((library) => new library.GoogleAuth({ scopes: SCOPES, projectId: this.#project }));
    return this.#auth;
  }

  async #fetch(audience: string): Promise<string> {
    try {
      const client = await (await this.auth()).getIdTokenClient(audience);
      const text = await client.idTokenProvider.fetchIdToken(audience);
      this.#identity.set(audience, { text, goodUntilMs: expiryMs(text) - EARLY_MS });
      return text;
    } catch (cause) {
      throw explain(`an ID token for ${audience}`, cause);
    }
  }
}

/** By its own claim; a token that cannot be read is not kept. */
function expiryMs(token: string): number {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    return Number(claims.exp) * 1000 || 0;
  } catch {
    return 0;
  }
}

function explain(what: string, cause: unknown): FaasError {
  if (FaasError.is(cause)) return cause;
  const reason = cause instanceof Error ? cause.message.split('\n', 1)[0] : String(cause);
  // google-auth-library's own words for a login of a person, which has no ID tokens for services.
  const isUser = /Cannot fetch ID token in this environment/.test(reason ?? '');
  const advice = isUser
    ? 'A user login has no ID tokens: set GOOGLE_APPLICATION_CREDENTIALS to a service account, or impersonate one'
    : 'Set GOOGLE_APPLICATION_CREDENTIALS, or run where a service account is attached';
  const message = `There is no ${what.replace(/^an /, '')} to be had: ${reason}. ${advice}.`;
  return new FaasError({ code: 'AUTH', executed: 'no', provider: PROVIDER, message, cause });
}
