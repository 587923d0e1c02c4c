/**
 * The record file: one SQLite database, opened in exclusive mode. That lock belongs to the process, so the operating
 * system gives it back however the process ends, and a second platform is refused.
 */

import { DatabaseSync } from 'node:sqlite';

import { systemCode } from '../domain/errors.js';

/** Marks the file as ours in SQLite's header ("jofe"). */
const APPLICATION_ID = 0x6a6f6665;

/** What a row and its entries in the indexes take beside the `bytes` it counts itself. */
const ROW_BYTES = 512;

/** What brings a file from the version of its index to the next one. */
const STEPS = [
  `CREATE TABLE functions (
    function_id     TEXT PRIMARY KEY,
    sha256          TEXT NOT NULL,
    zip_bytes       INTEGER NOT NULL,
    memory_mb       INTEGER NOT NULL,
    timeout_secs    INTEGER NOT NULL,
    max_concurrency INTEGER NOT NULL,
    env             TEXT NOT NULL,
    deployed_at     TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE invocations (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    function_id     TEXT NOT NULL,
    job_id          INTEGER NOT NULL,
    content         TEXT NOT NULL,
    idempotency_key TEXT,
    context         TEXT NOT NULL,
    args            BLOB,
    bytes           INTEGER NOT NULL,
    status          TEXT NOT NULL,
    attempts        INTEGER NOT NULL DEFAULT 0,
    lease           TEXT,
    deadline_ms     INTEGER,
    created_ms      INTEGER NOT NULL,
    started_ms      INTEGER,
    finished_ms     INTEGER,
    outcome         TEXT,
    result          BLOB
  ) STRICT;
  CREATE INDEX invocations_open ON invocations (seq) WHERE finished_ms IS NULL;
  CREATE INDEX invocations_finished ON invocations (finished_ms) WHERE finished_ms IS NOT NULL;
  CREATE INDEX invocations_by_function ON invocations (function_id, seq);
  CREATE INDEX invocations_by_key ON invocations (function_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
  CREATE TABLE kept_outcomes (
    function_id     TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    content         TEXT NOT NULL,
    finished_ms     INTEGER NOT NULL,
    bytes           INTEGER NOT NULL,
    outcome         TEXT NOT NULL,
    result          BLOB,
    PRIMARY KEY (function_id, idempotency_key)
  ) STRICT;
  CREATE INDEX kept_outcomes_finished ON kept_outcomes (finished_ms);`,
  `CREATE TABLE web_functions (
    id              TEXT PRIMARY KEY,
    namespace       TEXT NOT NULL,
    name            TEXT NOT NULL,
    version         INTEGER NOT NULL,
    spec            TEXT NOT NULL,
    created_at      TEXT NOT NULL,
    updated_at      TEXT NOT NULL,
    UNIQUE (namespace, name)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE callbacks (
    invocation_id   TEXT PRIMARY KEY,
    url             TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;`,
  // The total is kept, since to add up a million rows holds up everybody for a tenth of a second.
  `UPDATE invocations SET context = '' WHERE finished_ms IS NOT NULL;
  DROP INDEX invocations_open;
  CREATE INDEX invocations_by_status ON invocations (status, seq);
  CREATE TABLE stored_bytes (total INTEGER NOT NULL) STRICT;
  INSERT INTO stored_bytes VALUES (0);
  ${['invocations', 'kept_outcomes'].map(countBytesOf).join('\n')}`,
  `ALTER TABLE invocations ADD COLUMN call_id TEXT;
  CREATE INDEX invocations_by_call ON invocations (call_id, seq) WHERE call_id IS NOT NULL;`,
];

function countBytesOf(table: string): string {
  const change = 'UPDATE stored_bytes SET total = total';
  return `
  UPDATE stored_bytes SET total = total + (SELECT COALESCE(SUM(bytes + ${ROW_BYTES}), 0) FROM ${table});
  CREATE TRIGGER ${table}_added AFTER INSERT ON ${table} BEGIN
    ${change} + NEW.bytes + ${ROW_BYTES};
  END;
  CREATE TRIGGER ${table}_changed AFTER UPDATE OF bytes ON ${table} BEGIN
    ${change} + NEW.bytes - OLD.bytes;
  END;
  CREATE TRIGGER ${table}_removed AFTER DELETE ON ${table} BEGIN
    ${change} - OLD.bytes - ${ROW_BYTES};
  END;`;
}

const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;
const UNUSABLE = new Set([11 /* CORRUPT */, 14 /* CANTOPEN */, 26 /* NOTADB */]);

/**
 * Opens the record file, making it when it is not there.
 * @throws Error naming the file when it is in use, damaged, or of a newer version; it is never made anew
 */
export function openDatabase(file: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { timeout: 0 });
    prepare(database, file);
    return database;
  } catch (error) {
    database?.close();
    throw explain(error, file);
  }
}

/** How many bytes the records of calls take, as of the last write. */
export function storedBytesIn(database: DatabaseSync): () => number {
  const total = database.prepare('SELECT total FROM stored_bytes');
  return () => Number(total.get()?.['total']);
}

/** Did a write fail because the disk is full? */
export function isStoreFull(error: unknown): boolean {
  return (
    resultCode(error) === SQLITE_FULL || systemCode(error) === 'ENOSPC' || systemCode(error) === 'EDQUOT'
  );
}

function prepare(database: DatabaseSync, file: string): void {
  // FULL: what was answered survives a power cut, not only the end of the process.
  database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
  database.exec('BEGIN EXCLUSIVE');
  const version = pragma(database, 'user_version');
  const owner = pragma(database, 'application_id');
  const isNew =
    version === 0 && owner === 0 && database.prepare('SELECT 1 FROM sqlite_schema').get() === undefined;
  if (!isNew && owner !== APPLICATION_ID)
    throw new Error(`${file} is not a record file of this platform; choose another data folder.`);
  if (version > STEPS.length) {
    throw new Error(
      `${file} has version ${version}, this platform knows ${STEPS.length}; use the platform that wrote it.`,
    );
  }
  for (const step of STEPS.slice(version)) database.exec(step);
  database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${STEPS.length};`);
  database.exec('COMMIT');
  const check = database.prepare('PRAGMA quick_check(1)').get();
  if (check?.['quick_check'] !== 'ok') throw damaged(file, String(check?.['quick_check']));
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
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
