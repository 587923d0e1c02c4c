/**
 * The durable records, in one SQLite file. The file is opened in exclusive mode: that lock belongs to the process,
 * so the operating system gives it back however the process ends, and a second platform is refused.
 */

import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';

import { systemCode } from '../domain/errors.js';
import type { FunctionRecord } from '../domain/function-record.js';

/** Marks the file as ours in SQLite's header ("jofe"). */
const APPLICATION_ID = 0x6a6f6665;
const SCHEMA_VERSION = 1;
const SCHEMA = `
  CREATE TABLE functions (
    function_id     TEXT PRIMARY KEY,
    sha256          TEXT NOT NULL,
    zip_bytes       INTEGER NOT NULL,
    memory_mb       INTEGER NOT NULL,
    timeout_secs    INTEGER NOT NULL,
    max_concurrency INTEGER NOT NULL,
    env             TEXT NOT NULL,
    deployed_at     TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;
const UNUSABLE = new Set([11 /* CORRUPT */, 14 /* CANTOPEN */, 26 /* NOTADB */]);

export interface FunctionStore {
  get(functionId: string): FunctionRecord | undefined;
  list(): FunctionRecord[];
  put(record: FunctionRecord): void;
  /** False when there was nothing to delete. */
  delete(functionId: string): boolean;
  /** Does any function use this code? */
  usesCode(sha256: string): boolean;
  close(): void;
}

/**
 * Opens the record file, making it when it is not there.
 * @throws Error naming the file when it is in use, damaged, or of a newer version; it is never made anew
 */
export function openFunctionStore(file: string): FunctionStore {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { timeout: 0 });
    prepare(database, file);
    return storeOn(database);
  } catch (error) {
    database?.close();
    throw explain(error, file);
  }
}

/** Did a write fail because the disk is full? */
export function isStoreFull(error: unknown): boolean {
  return (
    resultCode(error) === SQLITE_FULL || systemCode(error) === 'ENOSPC' || systemCode(error) === 'EDQUOT'
  );
}

function prepare(database: DatabaseSync, file: string): void {
  // FULL: a deploy that was answered survives a power cut, not only the end of the process.
  database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
  database.exec('BEGIN EXCLUSIVE');
  const version = pragma(database, 'user_version');
  const owner = pragma(database, 'application_id');
  const isNew =
    version === 0 && owner === 0 && database.prepare('SELECT 1 FROM sqlite_schema').get() === undefined;
  if (isNew) database.exec(SCHEMA);
  else if (owner !== APPLICATION_ID)
    throw new Error(`${file} is not a record file of this platform; choose another data folder.`);
  else if (version !== SCHEMA_VERSION) {
    throw new Error(
      `${file} has version ${version}, this platform knows ${SCHEMA_VERSION}; use the platform that wrote it.`,
    );
  }
  database.exec('COMMIT');
  const check = database.prepare('PRAGMA quick_check(1)').get();
  if (check?.['quick_check'] !== 'ok') throw damaged(file, String(check?.['quick_check']));
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
}

function storeOn(database: DatabaseSync): FunctionStore {
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
    list: () => [...records.values()],
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
    close: () => database.close(),
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

function explain(error: unknown, file: string): unknown {
  const code = resultCode(error);
  if (code === SQLITE_BUSY) {
    return new Error(
      `The data folder is in use by another running platform (${file} is locked). Stop it or choose another folder.`,
      {
        cause: error,
      },
    );
  }
  if (code !== undefined && UNUSABLE.has(code))
    return damaged(file, String(error instanceof Error ? error.message : error), error);
  return error;
}

function damaged(file: string, reason: string, cause?: unknown): Error {
  return new Error(
    `The record file ${file} cannot be read (${reason.replaceAll(/\s+/g, ' ')}). Restore it from a backup, or move it away to start empty and deploy again.`,
    { cause },
  );
}

/** The primary SQLite result code of an error, without its extension bits. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number')
    return undefined;
  return error.errcode & 0xff;
}
