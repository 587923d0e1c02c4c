/** The deployed functions, as rows of the record file. */

import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';

import type { FunctionRecord } from '../domain/function-record.js';

export interface FunctionStore {
  get(functionId: string): FunctionRecord | undefined;
  /** In the order of their ids. */
  list(): FunctionRecord[];
  put(record: FunctionRecord): void;
  /** False when there was nothing to delete. */
  delete(functionId: string): boolean;
  /** Does any function use this code? */
  usesCode(sha256: string): boolean;
}

export function functionStoreOn(database: DatabaseSync): FunctionStore {
  const get = database.prepare('SELECT * FROM functions WHERE function_id = ?');
  const list = database.prepare('SELECT * FROM functions ORDER BY function_id');
  const put = database.prepare(`
    INSERT INTO functions VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (function_id) DO UPDATE SET sha256 = excluded.sha256, zip_bytes = excluded.zip_bytes,
      memory_mb = excluded.memory_mb, timeout_secs = excluded.timeout_secs,
      max_concurrency = excluded.max_concurrency, env = excluded.env, deployed_at = excluded.deployed_at`);
  const remove = database.prepare('DELETE FROM functions WHERE function_id = ?');
  const uses = database.prepare('SELECT 1 FROM functions WHERE sha256 = ? LIMIT 1');
  // Every call asks for a record, so the few there are stay in memory; SQLite stays the truth behind them.
  const records = new Map(list.all().map((row) => [String(row['function_id']), toRecord(row)]));
  return {
    get: (functionId) => records.get(functionId),
    list: () => [...records.values()].toSorted((a, b) => (a.functionId < b.functionId ? -1 : 1)),
    put(record) {
      const { config } = record;
      put.run(
        record.functionId,
        record.sha256,
        record.zipBytes,
        config.memoryMb,
        config.timeoutSecs,
        config.maxConcurrency,
        JSON.stringify(config.env),
        record.deployedAt,
      );
      const row = get.get(record.functionId);
      if (row === undefined)
        throw new Error(`function ${record.functionId} was written but cannot be read back`);
      records.set(record.functionId, toRecord(row));
    },
    delete(functionId) {
      const deleted = remove.run(functionId).changes > 0;
      records.delete(functionId);
      return deleted;
    },
    usesCode: (sha256) => uses.get(sha256) !== undefined,
  };
}

function toRecord(row: Record<string, SQLOutputValue>): FunctionRecord {
  return {
    functionId: String(row['function_id']),
    sha256: String(row['sha256']),
    zipBytes: Number(row['zip_bytes']),
    config: {
      memoryMb: Number(row['memory_mb']),
      timeoutSecs: Number(row['timeout_secs']),
      maxConcurrency: Number(row['max_concurrency']),
      env: JSON.parse(String(row['env'])) as Record<string, string>,
    },
    deployedAt: String(row['deployed_at']),
  };
}
