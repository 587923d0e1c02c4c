/** Tokens of a credential, kept as long as they are good: one request for each scope, however many wait. */
import { FaasError } from '../../core/errors.js';
import { importPeer } from '../shared/peers.js';
import { PROVIDER, type TokenCredential } from './options.js';

/** Renewed this long before it ends: a request that waits must not arrive with a dead token. */
const EARLY_MS = 300_000;

interface Token {
  readonly token: string;
  readonly expiresOnTimestamp: number;
}

export class Tokens {
  readonly #given: TokenCredential | undefined;
  readonly #current = new Map<string, Token>();
  readonly #renewing = new Map<string, Promise<Token>>();
  #credential: Promise<TokenCredential> | undefined;

  constructor(credential: TokenCredential | undefined) {
    this.#given = credential;
  }

  /** @throws {FaasError} AUTH, with what the credential says */
  async get(scope: string): Promise<Token> {
    const known = this.#current.get(scope);
    if (known !== undefined && known.expiresOnTimestamp - EARLY_MS > Date.now()) return known;
    let renewing = this.#renewing.get(scope);
    if (renewing === undefined) {
      renewing = this.#fetch(scope).finally(() => this.#renewing.delete(scope));
      this.#renewing.set(scope, renewing);
    }
    return renewing;
  }

  /** The server refused this one. */
  forget(scope: string, token: string): void {
    if (this.#current.get(scope)?.token === token) this.#current.delete(scope);
  }

  async #fetch(scope: string): Promise<Token> {
    const credential = await this.#open();
    try {
      const token = await credential.getToken(scope);
      if (token === null) throw new Error('the credential has none');
      this.#current.set(scope, token);
      return token;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message.split('\n', 1)[0] : String(cause);
      const message = `There is no token for ${scope} to be had: ${reason}. Log in with \`az login\`, set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET, or run where a managed identity is.`;
      throw new FaasError({ code: 'AUTH', executed: 'no', provider: PROVIDER, message, cause });
    }
  }

  #open(): Promise<TokenCredential> {
    if (this.#given !== undefined) return Promise.resolve(this.#given);
    this.#credential ??= importPeer(
      'AzureFunctionExecutor',
      '@azure/identity',
      () => import('@azure/identity'),
      'or pass `credential`',
    ).then(({ DefaultAzureCredential }) => new DefaultAzureCredential());
    return this.#credential;
  }
}
