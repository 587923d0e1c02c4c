/** Where bytes wait that are too large for a request. The stores themselves are in `jobferry/objects`. */

/** A place for bytes under names. Its errors are FaasErrors whose `executed` speaks of the store, not of a function. */
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

/** Bytes in one piece, or as they come. */
export type ObjectBody = Uint8Array | AsyncIterable<Uint8Array>;

/** What a store says of an object. */
export interface ObjectFacts {
  readonly bytes: number;
  /** By the store's clock. */
  readonly writtenAt: Date;
}

/** Options of every operation on a store. */
export interface StoreOptions {
  /** Ends the operation early: CANCELLED, or TIMEOUT where that is the reason. */
  readonly signal?: AbortSignal;
}
