/** A container of Azure Blob Storage. */
import type { ContainerClient } from '@azure/storage-blob';
import { isClaimName } from '../core/claim.js';
import type { FaasError } from '../core/errors.js';
import type { ObjectBody, ObjectFacts, ObjectStore, StoreOptions } from '../core/object-store.js';
import { type Doing, missing, storeError } from './errors.js';
import { checkKey } from './keys.js';
import { inParts, withLast } from './parts.js';
import { importPeer } from './peers.js';

export interface AzureBlobStoreOptions {
  /** The storage account, or the whole address for other clouds and emulators. */
  readonly account: string;
  readonly container: string;
  /** Stands before every key. Default none. Give it a lifecycle rule of its own. */
  readonly prefix?: string;
  /** Holds a key: never put it into a URL. Default: `DefaultAzureCredential` of `@azure/identity`. */
  readonly connectionString?: string;
}

type Sdk = typeof import('@azure/storage-blob');
type Identity = typeof import('@azure/identity');

export class AzureBlobStore implements ObjectStore {
  readonly url: string;
  readonly #options: AzureBlobStoreOptions;
  readonly #prefix: string;
  #opening: Promise<ContainerClient> | undefined;

  constructor(options: AzureBlobStoreOptions) {
    this.#options = options;
    this.#prefix = options.prefix ?? '';
    const url = new URL(`azblob://${options.container}/${this.#prefix}`);
    url.searchParams.set('account', options.account);
    this.url = url.href;
  }

  async put(key: string, body: ObjectBody, options: StoreOptions = {}): Promise<void> {
    await this.#do('written', key, options, async (container, name, request) => {
      const blob = container.getBlockBlobClient(name);
      if (body instanceof Uint8Array) {
        await blob.upload(body as never, body.length, request);
        return;
      }
      // Blocks that no list names vanish by themselves, so a failed upload leaves nothing to clean.
      const ids: string[] = [];
      for await (const { part, isLast } of withLast(inParts(body))) {
        if (isLast && ids.length === 0) {
          await blob.upload(part as never, part.length, request);
          return;
        }
        const id = Buffer.from(String(ids.length).padStart(8, '0')).toString('base64');
        await blob.stageBlock(id, part as never, part.length, request);
        ids.push(id);
      }
      await blob.commitBlockList(ids, request);
    });
  }

  async *get(key: string, options: StoreOptions = {}): AsyncGenerator<Uint8Array> {
    const body = await this.#do('read', key, options, async (container, name, request) => {
      const reply = await container.getBlobClient(name).download(0, undefined, request);
      return reply.readableStreamBody;
    });
    try {
      yield* body as AsyncIterable<Uint8Array>;
    } catch (cause) {
      throw this.#error(cause, 'read', key, options);
    }
  }

  async head(key: string, options: StoreOptions = {}): Promise<ObjectFacts | undefined> {
    return await this.#do('looked up', key, options, async (container, name, request) => {
      try {
        const facts = await container.getBlobClient(name).getProperties(request);
        return { bytes: facts.contentLength ?? 0, writtenAt: facts.lastModified ?? new Date(0) };
      } catch (cause) {
        if (statusOf(cause) === 404) return undefined;
        throw cause;
      }
    });
  }

  async delete(key: string, options: StoreOptions = {}): Promise<void> {
    await this.#do('deleted', key, options, (container, name, request) =>
      container.getBlobClient(name).deleteIfExists(request),
    );
  }

  async sweep(olderThanSecs: number, options: StoreOptions = {}): Promise<number> {
    const before = Date.now() - olderThanSecs * 1000;
    return await this.#do('listed', undefined, options, async (container, prefix, request) => {
      let swept = 0;
      for await (const { name, properties } of container.listBlobsFlat({ prefix, ...request })) {
        const key = name.slice(this.#prefix.length);
        if (properties.lastModified.getTime() >= before || !isClaimName(key)) continue;
        await this.delete(key, options);
        swept += 1;
      }
      return swept;
    });
  }

  async #do<Value>(
    verb: Doing['verb'],
    key: string | undefined,
    options: StoreOptions,
    work: (container: ContainerClient, name: string, request: Request) => Promise<Value>,
  ): Promise<Value> {
    const name = key === undefined ? this.#prefix : this.#prefix + checkKey(key);
    this.#opening ??= this.#open();
    const container = await this.#opening;
    try {
      return await work(container, name, options.signal === undefined ? {} : { abortSignal: options.signal });
    } catch (cause) {
      throw this.#error(cause, verb, key, options);
    }
  }

  async #open(): Promise<ContainerClient> {
    const { account, container, connectionString } = this.#options;
    const sdk = await importPeer<Sdk>('@azure/storage-blob');
    if (connectionString !== undefined) {
      return sdk.BlobServiceClient.fromConnectionString(connectionString).getContainerClient(container);
    }
    const { DefaultAzureCredential } = await importPeer<Identity>('@azure/identity');
    const address = account.includes('://') ? account : `https://${account}.blob.core.windows.net`;
    return new sdk.BlobServiceClient(address, new DefaultAzureCredential()).getContainerClient(container);
  }

  #error(cause: unknown, verb: Doing['verb'], key: string | undefined, options: StoreOptions): FaasError {
    const doing = { url: this.url, verb, ...(key !== undefined && { key }) };
    const isMissing = verb === 'read' && (cause as { code?: string } | undefined)?.code === 'BlobNotFound';
    return isMissing ? missing(doing) : storeError(doing, statusOf(cause), cause, options);
  }
}

interface Request {
  readonly abortSignal?: AbortSignal;
}

function statusOf(cause: unknown): number | undefined {
  return (cause as { statusCode?: number } | undefined)?.statusCode;
}
