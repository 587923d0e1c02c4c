/**
 * Many small writes, one transaction: whoever asks in the same turn of the event loop, or while the disk is busy,
 * shares one fsync. What was answered by then is on disk.
 */

import type { DatabaseSync } from 'node:sqlite';

interface Waiting {
  /** Writes, and returns what to do once it is durable. */
  readonly write: () => () => void;
  readonly fail: (error: unknown) => void;
}

export class GroupCommit {
  readonly #database: DatabaseSync;
  #waiting: Waiting[] = [];

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /**
   * Runs `write` in the next transaction and resolves with its value once that is on disk. A write may read what it
   * likes but should change records with one statement, since a failing write is not undone by itself.
   */
  commit<T>(write: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => this.flush());
      this.#waiting.push({
        write: () => {
          const value = write();
          return () => resolve(value);
        },
        fail: reject,
      });
    });
  }

  /** Commits what waits, now. */
  flush(): void {
    const group = this.#waiting;
    this.#waiting = [];
    if (group.length === 0) return;
    const written: { readonly resolve: () => void; readonly fail: (error: unknown) => void }[] = [];
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      for (const { write, fail } of group) {
        try {
          written.push({ resolve: write(), fail });
        } catch (error) {
          fail(error);
          // Some failures, such as a full disk, take the whole transaction with them.
          if (!this.#database.isTransaction) throw error;
        }
      }
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      for (const { fail } of group) fail(error);
      return;
    }
    for (const { resolve } of written) resolve();
  }
}
