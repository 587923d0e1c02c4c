/** Where bytes wait that are too large for a request. The stores themselves are in `jobferry/objects`. */

export interface ObjectStore {
  /** What `openObjectStore` takes to open it again elsewhere, without any secret. */
  readonly url: string;
  /**
   * Writes an object whole or not at all, replacing one of that name.
   * @param body a stream is sent as it comes: its length need not be known, nor fit into memory
   */
  put(key: string, body: ObjectBody, options?: StoreOptions): Promise<void>;
  /** Reads an object piece by piece. @throws {FaasError} NOT_FOUND when it is not there (any more) */
  get(key: string, options?: StoreOptions): AsyncIterable<Uint8Array>;
  /** Undefined when it is not there, or when the store will not say whether it is. */
  head(key: string, options?: StoreOptions): Promise<ObjectFacts | undefined>;
  /** Twice is fine. */
  delete(key: string, options?: StoreOptions): Promise<void>;
  /**
   * Deletes claims, and unfinished writes of its own, that are older than `olderThanSecs`; resolves to how many that
   * were. Whatever else lies there stays.
   */
  sweep(olderThanSecs: number, options?: StoreOptions): Promise<number>;
}

export type ObjectBody = Uint8Array | AsyncIterable<Uint8Array>;

export interface ObjectFacts {
  readonly bytes: number;
  readonly writtenAt: Date;
}

export interface StoreOptions {
  readonly signal?: AbortSignal;
}
