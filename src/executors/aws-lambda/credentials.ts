/** Who we are to AWS: fixed keys, a function, or the SDK's default chain. Renewed early, by one request for all calls. */
import { FaasError } from '../../core/errors.js';
import { importPeer } from '../shared/peers.js';
import { PROVIDER } from './options.js';

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** When they stop to work; absent for keys that do not expire. */
  readonly expiration?: Date;
}

export type CredentialSource = AwsCredentials | (() => AwsCredentials | Promise<AwsCredentials>);

/** Credentials with less time left than this are renewed while they still serve. */
const EARLY_MS = 5 * 60_000;
/** A renewal that failed is not tried again by every call. */
const RETRY_RENEWAL_MS = 10_000;

export class CredentialCache {
  readonly #source: CredentialSource | undefined;
  readonly #nowMs: () => number;
  #current: AwsCredentials | undefined;
  #fetching: Promise<AwsCredentials> | undefined;
  #chain: ((options?: { forceRefresh?: boolean }) => Promise<AwsCredentials>) | undefined;
  #renewNotBeforeMs = 0;

  /** @param source undefined for the default chain: environment, SSO, profile, web identity, container, instance. */
  constructor(source: CredentialSource | undefined, nowMs: () => number = Date.now) {
    this.#source = source;
    this.#nowMs = nowMs;
    if (source !== undefined && typeof source !== 'function') this.#current = source;
  }

  /** At once where nothing must be fetched. */
  get(): AwsCredentials | Promise<AwsCredentials> {
    const current = this.#current;
    if (current === undefined) return this.#fetchOnce(false);
    const leftMs = (current.expiration?.getTime() ?? Infinity) - this.#nowMs();
    if (leftMs > EARLY_MS || typeof this.#source === 'object') return current;
    if (leftMs <= 0) return this.#fetchOnce(true);
    if (this.#nowMs() >= this.#renewNotBeforeMs) this.#renewInBackground();
    return current;
  }

  /** After AWS called `refused` expired: other ones that are worth one more request, or undefined. */
  async renew(refused: AwsCredentials): Promise<AwsCredentials | undefined> {
    // Another call may have renewed them since.
    if (this.#current !== undefined && !same(this.#current, refused)) return this.#current;
    if (typeof this.#source === 'object') return undefined;
    const fresh = await this.#fetchOnce(true);
    return same(fresh, refused) ? undefined : fresh;
  }

  /** What must never be read in an error. */
  secrets(): readonly string[] {
    const { accessKeyId, secretAccessKey, sessionToken } = this.#current ?? {};
    return [accessKeyId, secretAccessKey, sessionToken].filter((text) => text !== undefined);
  }

  #renewInBackground(): void {
    this.#renewNotBeforeMs = this.#nowMs() + RETRY_RENEWAL_MS;
    // The old ones still serve: a failure shows itself when they have expired.
    this.#fetchOnce(true).catch(() => {});
  }

  /** One request however many calls wait for it. */
  #fetchOnce(forceRefresh: boolean): Promise<AwsCredentials> {
    this.#fetching ??= this.#fetch(forceRefresh).finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetch(forceRefresh: boolean): Promise<AwsCredentials> {
    const source = this.#source;
    let credentials: AwsCredentials;
    try {
      if (typeof source === 'object') credentials = source;
      else if (typeof source === 'function') credentials = await source();
      else credentials = await (await this.#defaultChain())({ forceRefresh });
    } catch (cause) {
      if (FaasError.is(cause)) throw cause;
      throw auth(
        source === undefined
          ? 'the default chain found no AWS credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role, or pass `credentials`'
          : 'the `credentials` function failed, so nothing was sent',
        cause,
      );
    }
    if (!credentials?.accessKeyId || !credentials.secretAccessKey) {
      throw auth('the credentials lack `accessKeyId` or `secretAccessKey`');
    }
    this.#current = credentials;
    return credentials;
  }

  async #defaultChain() {
    if (this.#chain === undefined) {
      const { defaultProvider } = await importPeer(
        'LambdaExecutor',
        '@aws-sdk/credential-provider-node',
        () => import('@aws-sdk/credential-provider-node'),
        'or pass `credentials`',
      );
      this.#chain = defaultProvider() as (options?: { forceRefresh?: boolean }) => Promise<AwsCredentials>;
    }
    return this.#chain;
  }
}

function same(a: AwsCredentials, b: AwsCredentials): boolean {
  return a.accessKeyId === b.accessKeyId && a.sessionToken === b.sessionToken;
}

function auth(why: string, cause?: unknown): FaasError {
  const message = `LambdaExecutor: ${why}.`;
  return new FaasError({ code: 'AUTH', executed: 'no', provider: PROVIDER, message, cause });
}
