/** An S3 bucket, or one of the many stores that speak its API. */
import type { S3Client } from '@aws-sdk/client-s3';
import { isClaimName } from '../core/claim.js';
import type { ObjectBody, ObjectFacts, ObjectStore, StoreOptions } from '../core/object-store.js';
import { type Doing, isUnknown, missing, storeError } from './errors.js';
import { checkKey } from './keys.js';
import { inParts, withLast } from './parts.js';
import { importPeer } from './peers.js';

type Sdk = typeof import('@aws-sdk/client-s3');

export interface S3StoreOptions {
  readonly bucket: string;
  /** Stands before every key. Default none. Give it a lifecycle rule of its own. */
  readonly prefix?: string;
  /** Default: what the SDK finds in the environment. */
  readonly region?: string;
  /** For other stores than AWS; paths then name the bucket. */
  readonly endpoint?: string;
  /** A client of your own, closed by you. Default: one with the SDK's chain of credentials. */
  readonly client?: S3Client;
}

export class S3Store implements ObjectStore {
  readonly url: string;
  readonly #options: S3StoreOptions;
  readonly #prefix: string;
  #opening: Promise<{ sdk: Sdk; client: S3Client }> | undefined;

  constructor(options: S3StoreOptions) {
    this.#options = options;
    this.#prefix = options.prefix ?? '';
    const url = new URL(`s3://${options.bucket}/${this.#prefix}`);
    if (options.region !== undefined) url.searchParams.set('region', options.region);
    if (options.endpoint !== undefined) url.searchParams.set('endpoint', options.endpoint);
    this.url = url.href;
  }

  async put(key: string, body: ObjectBody, options: StoreOptions = {}): Promise<void> {
    await this.#do('written', key, options, async ({ sdk, client }, target, request) => {
      if (body instanceof Uint8Array) {
        await client.send(new sdk.PutObjectCommand({ ...target, Body: body }), request);
        return;
      }
      await this.#putStream(sdk, client, target, body, request);
    });
  }

  async *get(key: string, options: StoreOptions = {}): AsyncGenerator<Uint8Array> {
    const body = await this.#do('read', key, options, async ({ sdk, client }, target, request) => {
      return (await client.send(new sdk.GetObjectCommand(target), request)).Body;
    });
    try {
      yield* body as unknown as AsyncIterable<Uint8Array>;
    } catch (cause) {
      throw this.#error(cause, 'read', key, options);
    }
  }

  async head(key: string, options: StoreOptions = {}): Promise<ObjectFacts | undefined> {
    return await this.#do('looked up', key, options, async ({ sdk, client }, target, request) => {
      try {
        const reply = await client.send(new sdk.HeadObjectCommand(target), request);
        return { bytes: reply.ContentLength ?? 0, writtenAt: reply.LastModified ?? new Date(0) };
      } catch (cause) {
        if (isUnknown(statusOf(cause))) return undefined;
        throw cause;
      }
    });
  }

  async delete(key: string, options: StoreOptions = {}): Promise<void> {
    await this.#do('deleted', key, options, ({ sdk, client }, target, request) =>
      client.send(new sdk.DeleteObjectCommand(target), request),
    );
  }

  async sweep(olderThanSecs: number, options: StoreOptions = {}): Promise<number> {
    const before = Date.now() - olderThanSecs * 1000;
    const Bucket = this.#options.bucket;
    let swept = 0;
    let ContinuationToken: string | undefined;
    do {
      const page = await this.#do('listed', undefined, options, ({ sdk, client }, _target, request) =>
        client.send(
          new sdk.ListObjectsV2Command({
            Bucket,
            Prefix: this.#prefix,
            ...(ContinuationToken && { ContinuationToken }),
          }),
          request,
        ),
      );
      for (const { Key, LastModified } of page.Contents ?? []) {
        if (Key === undefined || LastModified === undefined || LastModified.getTime() >= before) continue;
        const key = Key.slice(this.#prefix.length);
        if (!isClaimName(key)) continue;
        await this.delete(key, options);
        swept += 1;
      }
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    return swept;
  }

  /** By hand: one part in memory at a time. What is left of a failed upload is aborted, or it would be paid for. */
  async #putStream(
    sdk: Sdk,
    client: S3Client,
    target: Target,
    body: AsyncIterable<Uint8Array>,
    request: Request,
  ): Promise<void> {
    let UploadId: string | undefined;
    const Parts: { ETag?: string | undefined; PartNumber: number }[] = [];
    try {
      for await (const { part, isLast } of withLast(inParts(body))) {
        if (isLast && UploadId === undefined) {
          await client.send(new sdk.PutObjectCommand({ ...target, Body: part }), request);
          return;
        }
        UploadId ??= (await client.send(new sdk.CreateMultipartUploadCommand(target), request)).UploadId;
        const PartNumber = Parts.length + 1;
        const sent = await client.send(
          new sdk.UploadPartCommand({ ...target, UploadId, PartNumber, Body: part }),
          request,
        );
        Parts.push({ ETag: sent.ETag, PartNumber });
      }
      const MultipartUpload = { Parts };
      await client.send(
        new sdk.CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload } as never),
        request,
      );
    } catch (cause) {
      if (UploadId !== undefined) {
        // The first failure is what the caller must learn of.
        await client.send(new sdk.AbortMultipartUploadCommand({ ...target, UploadId })).catch(() => {});
      }
      throw cause;
    }
  }

  async #do<Value>(
    verb: Doing['verb'],
    key: string | undefined,
    options: StoreOptions,
    work: (opened: { sdk: Sdk; client: S3Client }, target: Target, request: Request) => Promise<Value>,
  ): Promise<Value> {
    const target = {
      Bucket: this.#options.bucket,
      Key: key === undefined ? '' : this.#prefix + checkKey(key),
    };
    this.#opening ??= this.#open();
    const opened = await this.#opening;
    try {
      return await work(opened, target, options.signal === undefined ? {} : { abortSignal: options.signal });
    } catch (cause) {
      throw this.#error(cause, verb, key, options);
    }
  }

  async #open(): Promise<{ sdk: Sdk; client: S3Client }> {
    const sdk = await importPeer<Sdk>('@aws-sdk/client-s3');
    const { client, region, endpoint } = this.#options;
    const made = () =>
      new sdk.S3Client({
        ...(region !== undefined && { region }),
        ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
      });
    return { sdk, client: client ?? made() };
  }

  #error(cause: unknown, verb: Doing['verb'], key: string | undefined, options: StoreOptions) {
    const doing = { url: this.url, verb, ...(key !== undefined && { key }) };
    const isMissing = verb === 'read' && (cause as Error | undefined)?.name === 'NoSuchKey';
    return isMissing ? missing(doing) : storeError(doing, statusOf(cause), cause, options);
  }
}

interface Target {
  readonly Bucket: string;
  readonly Key: string;
}

interface Request {
  readonly abortSignal?: AbortSignal;
}

function statusOf(cause: unknown): number | undefined {
  return (cause as { $metadata?: { httpStatusCode?: number } } | undefined)?.$metadata?.httpStatusCode;
}
