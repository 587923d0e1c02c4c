/** A folder as an object store: for one machine, or for a file system that all machines share. */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isClaimName } from '../core/claim.js';
import type { ObjectBody, ObjectFacts, ObjectStore, StoreOptions } from '../core/object-store.js';
import { type Doing, missing, storeError } from './errors.js';
import { checkKey } from './keys.js';

/** Unfinished files begin so; `checkKey` takes no name like it. */
const UNFINISHED = '.unfinished-';
const UNFINISHED_NAME = /^\.unfinished-[0-9a-f-]{36}$/;

export class FolderStore implements ObjectStore {
  readonly url: string;
  readonly #folder: string;

  /** @param folder made when the first object is written */
  constructor(folder: string) {
    this.#folder = resolve(folder);
    this.url = pathToFileURL(this.#folder).href;
  }

  async put(key: string, body: ObjectBody, options: StoreOptions = {}): Promise<void> {
    const path = this.#path(key);
    // Renamed when it is whole, so that nobody reads half an object, and a crash leaves none.
    const unfinished = join(this.#folder, `${UNFINISHED}${randomUUID()}`);
    try {
      await mkdir(this.#folder, { recursive: true });
      await write(unfinished, body, options);
      await rename(unfinished, path);
    } catch (cause) {
      await rm(unfinished, { force: true });
      throw this.#error(cause, 'written', key, options);
    }
  }

  async *get(key: string, options: StoreOptions = {}): AsyncGenerator<Uint8Array> {
    try {
      yield* createReadStream(this.#path(key), { highWaterMark: 256 * 1024, ...options });
    } catch (cause) {
      throw this.#error(cause, 'read', key, options);
    }
  }

  async head(key: string, options: StoreOptions = {}): Promise<ObjectFacts | undefined> {
    try {
      const { size, mtime } = await stat(this.#path(key));
      return { bytes: size, writtenAt: mtime };
    } catch (cause) {
      if (isAbsent(cause)) return undefined;
      throw this.#error(cause, 'looked up', key, options);
    }
  }

  async delete(key: string): Promise<void> {
    await rm(this.#path(key), { force: true });
  }

  async sweep(olderThanSecs: number, { signal }: StoreOptions = {}): Promise<number> {
    const before = Date.now() - olderThanSecs * 1000;
    let swept = 0;
    const names = await readdir(this.#folder).catch((cause: unknown) => {
      if (isAbsent(cause)) return [];
      throw this.#error(cause, 'listed');
    });
    for (const name of names) {
      if (!isClaimName(name) && !UNFINISHED_NAME.test(name)) continue;
      signal?.throwIfAborted();
      const path = join(this.#folder, name);
      // Another sweeper may have been faster.
      const facts = await stat(path).catch(() => undefined);
      if (facts === undefined || !facts.isFile() || facts.mtimeMs >= before) continue;
      await rm(path, { force: true });
      swept += 1;
    }
    return swept;
  }

  #path(key: string): string {
    return join(this.#folder, checkKey(key));
  }

  #error(cause: unknown, verb: Doing['verb'], key?: string, options?: StoreOptions) {
    const doing = { url: this.url, verb, ...(key !== undefined && { key }) };
    return isAbsent(cause) && verb === 'read' ? missing(doing) : storeError(doing, undefined, cause, options);
  }
}

async function write(path: string, body: ObjectBody, { signal }: StoreOptions): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    const chunks = body instanceof Uint8Array ? [body] : body;
    for await (const chunk of chunks) {
      signal?.throwIfAborted();
      await file.writeFile(chunk);
    }
    // The claim that is sent next may outlive a crash of this machine.
    await file.sync();
  } finally {
    await file.close();
  }
}

function isAbsent(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
}
