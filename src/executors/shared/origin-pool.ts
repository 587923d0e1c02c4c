/** The sockets to one origin. undici is loaded by the first request, never by an import of this package. */
import type { Dispatcher, Pool } from 'undici';

export interface TlsOptions {
  /** Certificates of the authorities to trust instead of the well-known ones, PEM. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[];
  /** Client certificate chain, PEM. */
  readonly cert?: string | Uint8Array;
  /** Private key of the client certificate, PEM. */
  readonly key?: string | Uint8Array;
  readonly passphrase?: string;
  /** The name the server's certificate must carry, when it is not the host of the URL. */
  readonly servername?: string;
  /** Default true. False accepts any certificate: for experiments only. */
  readonly rejectUnauthorized?: boolean;
}

export interface OriginPoolOptions {
  readonly connections: number;
  readonly connectTimeoutMs: number;
  /** The longest silence of a server before its request fails: a net below the deadlines of the calls. */
  readonly silenceTimeoutMs: number;
  readonly tls?: TlsOptions | undefined;
}

export class OriginPool {
  readonly origin: string;
  /** The dispatcher once it is loaded: hot paths look here before they wait for `open`. */
  ready: Dispatcher | undefined;
  readonly #options: OriginPoolOptions;
  #owned: Pool | undefined;
  #opening: Promise<Dispatcher> | undefined;

  /** @param dispatcher used instead of sockets of our own; its owner closes it. */
  constructor(origin: string, options: OriginPoolOptions, dispatcher?: Dispatcher) {
    this.origin = origin;
    this.#options = options;
    this.ready = dispatcher;
  }

  open(): Promise<Dispatcher> {
    if (this.ready !== undefined) return Promise.resolve(this.ready);
    this.#opening ??= this.#load();
    return this.#opening;
  }

  /** Lets requests in flight finish, then closes the sockets. */
  async close(): Promise<void> {
    // A pool that is just being opened is waited for, or its sockets would outlive this call.
    await this.#opening;
    await this.#owned?.close();
  }

  async #load(): Promise<Dispatcher> {
    const { Pool } = await import('undici');
    const { connections, connectTimeoutMs, silenceTimeoutMs, tls } = this.#options;
    this.#owned = new Pool(this.origin, {
      connections,
      // One request at a time on a socket: what a broken socket means for `executed` stays certain.
      pipelining: 1,
      allowH2: false,
      headersTimeout: silenceTimeoutMs,
      bodyTimeout: silenceTimeoutMs,
      connect: { ...(tls as object), timeout: connectTimeoutMs },
    });
    this.ready = this.#owned;
    return this.#owned;
  }
}
