/** The state in an S3-compatible store: the lock is an object that conditional writes let only one make. */
import type { S3Client } from '@aws-sdk/client-s3';
import { FaasError } from '../../core/errors.js';
import { type LockInfo, type StateBackend, stateMoved } from './backend.js';

export interface S3BackendOptions {
  readonly bucket: string;
  /** The state; `KEY.backup` and `KEY.lock` stand beside it. */
  readonly key: string;
  readonly region?: string;
  /** An S3-compatible server instead of AWS's; addressed by path. It must know `If-Match` and `If-None-Match` on writes. */
  readonly endpoint?: string;
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

interface Condition {
  readonly IfNoneMatch?: string;
  readonly IfMatch?: string | undefined;
}

type Sdk = typeof import('@aws-sdk/client-s3');

export class S3Backend implements StateBackend {
  readonly name: string;
  readonly #options: S3BackendOptions;
  /** The ETag of what was read or written last. */
  #etag: string | undefined;
  /** What was sent last without hearing that it arrived. */
  #doubtful: string | undefined;
  #client: Promise<{ sdk: Sdk; client: S3Client }> | undefined;

  constructor(options: S3BackendOptions) {
    this.#options = options;
    this.name = `s3://${options.bucket}/${options.key}`;
  }

  async read(): Promise<string | undefined> {
    const kept = await this.#get(this.#options.key);
    this.#etag = kept?.etag;
    return kept?.text;
  }

  async write(text: string): Promise<void> {
    const { key } = this.#options;
    const before = await this.#get(key);
    const isOurs = before !== undefined && before.text === this.#doubtful;
    if (before?.etag !== this.#etag && !isOurs) throw stateMoved(this.name);
    if (before !== undefined) await this.#put(`${key}.backup`, before.text);
    const condition = before === undefined ? { IfNoneMatch: '*' } : { IfMatch: before.etag };
    this.#doubtful = text;
    this.#etag = await this.#put(key, text, condition).catch(async (failure: unknown) => {
      if (!isRefused(failure)) throw failure;
      // The client sends again when an answer is lost: then it is our own write that stands in the way.
      const there = await this.#get(key);
      if (there?.text !== text) throw stateMoved(this.name);
      return there.etag;
    });
    this.#doubtful = undefined;
  }

  async tryLock(lock: LockInfo): Promise<LockInfo | undefined> {
    for (;;) {
      try {
        await this.#put(`${this.#options.key}.lock`, JSON.stringify(lock), { IfNoneMatch: '*' });
        return undefined;
      } catch (failure) {
        const holder = await this.#holder();
        // Its answer was lost: nobody else knows the id.
        if (holder?.id === lock.id) return undefined;
        if (!isRefused(failure)) throw failure;
        if (holder !== undefined) return holder;
      }
    }
  }

  async unlock(id: string): Promise<void> {
    if ((await this.#holder())?.id !== id) return;
    const { sdk, client } = await this.#open();
    await client.send(
      new sdk.DeleteObjectCommand({ Bucket: this.#options.bucket, Key: `${this.#options.key}.lock` }),
    );
  }

  async close(): Promise<void> {
    (await this.#client)?.client.destroy();
  }

  async #holder(): Promise<LockInfo | undefined> {
    const kept = await this.#get(`${this.#options.key}.lock`);
    return kept === undefined ? undefined : (JSON.parse(kept.text) as LockInfo);
  }

  async #get(Key: string): Promise<{ readonly text: string; readonly etag: string | undefined } | undefined> {
    const { sdk, client } = await this.#open();
    try {
      const { Body, ETag } = await client.send(
        new sdk.GetObjectCommand({ Bucket: this.#options.bucket, Key }),
      );
      return { text: (await Body?.transformToString('utf8')) ?? '', etag: ETag };
    } catch (failure) {
      if (statusOf(failure) === 404) return undefined;
      throw failure;
    }
  }

  async #put(Key: string, Body: string, condition: Condition = {}): Promise<string | undefined> {
    const { sdk, client } = await this.#open();
    const input = { Bucket: this.#options.bucket, Key, Body, ContentType: 'application/json' };
    const { ETag } = await client.send(new sdk.PutObjectCommand({ ...input, ...condition }));
    return ETag;
  }

  #open(): Promise<{ sdk: Sdk; client: S3Client }> {
    this.#client ??= this.#connect();
    return this.#client;
  }

  async #connect(): Promise<{ sdk: Sdk; client: S3Client }> {
    const { region, endpoint, credentials } = this.#options;
    const sdk = await import('@aws-sdk/client-s3').catch((cause: unknown) => {
      const message = 'A state in S3 needs @aws-sdk/client-s3. Install it: npm install @aws-sdk/client-s3';
      throw new FaasError({ code: 'CONFIG', executed: 'no', message, cause });
    });
    const client = new sdk.S3Client({
      ...(region && { region }),
      ...(endpoint && { endpoint, forcePathStyle: true }),
      ...(credentials && { credentials }),
    });
    return { sdk, client };
  }
}

/** The condition of a write did not hold, or another write came in between. */
function isRefused(failure: unknown): boolean {
  return statusOf(failure) === 412 || statusOf(failure) === 409;
}

function statusOf(failure: unknown): number | undefined {
  return (failure as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}
