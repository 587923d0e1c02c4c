/** Who wants to be told of the end of an asynchronous call: kept until they were, or it was tried often enough. */

import type { DatabaseSync } from 'node:sqlite';

export interface PendingCallback {
  readonly invocationId: string;
  readonly url: string;
}

export interface CallbackStore {
  put(callback: PendingCallback): void;
  get(invocationId: string): PendingCallback | undefined;
  delete(invocationId: string): void;
  list(): PendingCallback[];
}

export function callbackStoreOn(database: DatabaseSync): CallbackStore {
  const put = database.prepare('INSERT OR REPLACE INTO callbacks VALUES (?, ?)');
  const get = database.prepare('SELECT * FROM callbacks WHERE invocation_id = ?');
  const remove = database.prepare('DELETE FROM callbacks WHERE invocation_id = ?');
  const list = database.prepare('SELECT * FROM callbacks');
  const of = (row: ReturnType<typeof get.get>): PendingCallback | undefined =>
    row === undefined ? undefined : { invocationId: String(row['invocation_id']), url: String(row['url']) };
  return {
    put: ({ invocationId, url }) => void put.run(invocationId, url),
    get: (invocationId) => of(get.get(invocationId)),
    delete: (invocationId) => void remove.run(invocationId),
    list: () => list.all().flatMap((row) => of(row) ?? []),
  };
}
