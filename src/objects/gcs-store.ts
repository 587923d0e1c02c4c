/**
 * A bucket of Google Cloud Storage, by its JSON API (cloud.google.com/storage/docs/json_api/v1): simple uploads for
 * bytes, resumable ones for streams.
 */
import { isClaimName } from '../core/claim.js';
import type { ObjectBody, ObjectFacts, ObjectStore, StoreOptions } from '../core/object-store.js';
import { type Doing, isUnknown, missing, storeError } from './errors.js';
import { checkKey } from './keys.js';
import { inParts, withLast } from './parts.js';
import { importPeer } from './peers.js';

export interface GcsStoreOptions {
  readonly bucket: string;
  /** Stands before every key. Default none. Give it a lifecycle rule of its own. */
  readonly prefix?: string;
  /** Default `https://storage.googleapis.com`. */
  readonly endpoint?: string;
  /** Default: application default credentials, by `google-auth-library`. */
  readonly accessToken?: () => Promise<string>;
  readonly fetch?: typeof fetch;
}

type Auth = typeof import('google-auth-library');

const SCOPE = 'https://www.googleapis.com/auth/devstorage.read_write';
/** What Google answers while a resumable upload goes on. */
const GOES_ON = 308;

export class GcsStore implements ObjectStore {
  readonly url: string;
  readonly #options: GcsStoreOptions;
  readonly #prefix: string;
  readonly #endpoint: string;
  #token: (() => Promise<string>) | undefined;

  constructor(options: GcsStoreOptions) {
    this.#options = options;
    this.#prefix = options.prefix ?? '';
    this.#endpoint = options.endpoint ?? 'https://storage.googleapis.com';
    this.#token = options.accessToken;
    const url = new URL(`gs://${options.bucket}/${this.#prefix}`);
    if (options.endpoint !== undefined) url.searchParams.set('endpoint', options.endpoint);
    this.url = url.href;
  }

  async put(key: string, body: ObjectBody, options: StoreOptions = {}): Promise<void> {
    const doing = this.#doing('written', key);
    const name = encodeURIComponent(this.#prefix + checkKey(key));
    if (body instanceof Uint8Array) {
      await this.#upload(doing, name, body, options);
      return;
    }
    let session: string | undefined;
    let sentBytes = 0;
    try {
      for await (const { part, isLast } of withLast(inParts(body))) {
        if (isLast && session === undefined) {
          await this.#upload(doing, name, part, options);
          return;
        }
        session ??= await this.#startUpload(doing, name, options);
        const end = sentBytes + part.length;
        const range = `bytes ${sentBytes}-${end - 1}/${isLast ? end : '*'}`;
        const init = {
          method: 'PUT',
          headers: { 'content-range': range },
          body: part as NonNullable<RequestInit['body']>,
        };
        await this.#fetch(doing, session, init, options, isLast ? [] : [GOES_ON]);
        sentBytes = end;
      }
    } catch (cause) {
      // Google answers 499 to this and forgets the parts; the first failure is what the caller must learn of.
      if (session !== undefined)
        await this.#fetch(doing, session, { method: 'DELETE' }, {}, [499]).catch(() => {});
      throw storeError(doing, undefined, cause, options);
    }
  }

  async *get(key: string, options: StoreOptions = {}): AsyncGenerator<Uint8Array> {
    const doing = this.#doing('read', key);
    const reply = await this.#fetch(doing, `${this.#object(key)}?alt=media`, {}, options, [404]);
    if (reply.status === 404) throw missing(doing);
    try {
      yield* reply.body as unknown as AsyncIterable<Uint8Array>;
    } catch (cause) {
      throw storeError(doing, undefined, cause, options);
    }
  }

  async head(key: string, options: StoreOptions = {}): Promise<ObjectFacts | undefined> {
    const address = `${this.#object(key)}?fields=size,updated`;
    const reply = await this.#fetch(this.#doing('looked up', key), address, {}, options, [403, 404]);
    if (isUnknown(reply.status)) {
      await reply.body?.cancel();
      return undefined;
    }
    const { size, updated } = (await reply.json()) as { size: string; updated: string };
    return { bytes: Number(size), writtenAt: new Date(updated) };
  }

  async delete(key: string, options: StoreOptions = {}): Promise<void> {
    const reply = await this.#fetch(
      this.#doing('deleted', key),
      this.#object(key),
      { method: 'DELETE' },
      options,
      [404],
    );
    await reply.body?.cancel();
  }

  async sweep(olderThanSecs: number, options: StoreOptions = {}): Promise<number> {
    const before = Date.now() - olderThanSecs * 1000;
    let swept = 0;
    let pageToken: string | undefined;
    do {
      const query = new URLSearchParams({
        prefix: this.#prefix,
        fields: 'nextPageToken,items(name,updated)',
      });
      if (pageToken !== undefined) query.set('pageToken', pageToken);
      const reply = await this.#fetch(this.#doing('listed'), `${this.#bucket()}/o?${query}`, {}, options);
      const page = (await reply.json()) as {
        nextPageToken?: string;
        items?: { name: string; updated: string }[];
      };
      for (const { name, updated } of page.items ?? []) {
        const key = name.slice(this.#prefix.length);
        if (Date.parse(updated) >= before || !isClaimName(key)) continue;
        await this.delete(key, options);
        swept += 1;
      }
      pageToken = page.nextPageToken;
    } while (pageToken !== undefined);
    return swept;
  }

  async #upload(doing: Doing, name: string, body: Uint8Array, options: StoreOptions): Promise<void> {
    const address = `${this.#endpoint}/upload/storage/v1/b/${this.#options.bucket}/o?uploadType=media&name=${name}`;
    const headers = { 'content-type': 'application/octet-stream' };
    const reply = await this.#fetch(
      doing,
      address,
      { method: 'POST', headers, body: body as NonNullable<RequestInit['body']> },
      options,
    );
    await reply.body?.cancel();
  }

  async #startUpload(doing: Doing, name: string, options: StoreOptions): Promise<string> {
    const address = `${this.#endpoint}/upload/storage/v1/b/${this.#options.bucket}/o?uploadType=resumable&name=${name}`;
    const reply = await this.#fetch(doing, address, { method: 'POST' }, options);
    await reply.body?.cancel();
    const session = reply.headers.get('location');
    if (session === null) throw storeError(doing, reply.status, new Error('no address for the upload came'));
    return session;
  }

  /** @param fine statuses above 2xx that are no failure */
  async #fetch(
    doing: Doing,
    address: string,
    init: RequestInit,
    options: StoreOptions,
    fine: readonly number[] = [],
  ): Promise<Response> {
    const send = this.#options.fetch ?? fetch;
    this.#token ??= await defaultToken();
    let reply: Response;
    try {
      const headers = { ...init.headers, authorization: `Bearer ${await this.#token()}` };
      reply = await send(address, { ...init, headers, redirect: 'manual', ...options });
    } catch (cause) {
      throw storeError(doing, undefined, cause, options);
    }
    if (reply.ok || fine.includes(reply.status)) return reply;
    await reply.body?.cancel();
    throw storeError(doing, reply.status, new Error(`Google answered HTTP ${reply.status}`));
  }

  #bucket(): string {
    return `${this.#endpoint}/storage/v1/b/${this.#options.bucket}`;
  }

  #object(key: string): string {
    return `${this.#bucket()}/o/${encodeURIComponent(this.#prefix + checkKey(key))}`;
  }

  #doing(verb: Doing['verb'], key?: string): Doing {
    return { url: this.url, verb, ...(key !== undefined && { key }) };
  }
}

async function defaultToken(): Promise<() => Promise<string>> {
  const { GoogleAuth } = await importPeer<Auth>('google-auth-library');
  const auth = new GoogleAuth({ scopes: [SCOPE] });
  return async () => (await auth.getAccessToken()) ?? '';
}
