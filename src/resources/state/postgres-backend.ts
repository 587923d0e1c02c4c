/** The state in a row of Postgres: the lock is another row, which only one can insert. */
import type { Pool } from 'pg';
import { FaasError } from '../../core/errors.js';
import { redacted } from '../core/redact.js';
import { type LockInfo, type StateBackend, stateMoved } from './backend.js';

export interface PostgresBackendOptions {
  /** `postgres://…`; never shown, it may hold a password. */
  readonly connectionString: string;
  /** Tells several states of one database apart. Default `default`. */
  readonly workspace?: string;
}

const TABLES = `
  CREATE TABLE IF NOT EXISTS jobferry_state (
    workspace text PRIMARY KEY, revision bigint NOT NULL, content text NOT NULL, backup text,
    written_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE TABLE IF NOT EXISTS jobferry_state_lock (workspace text PRIMARY KEY, lock jsonb NOT NULL);
`;

export class PostgresBackend implements StateBackend {
  readonly name: string;
  readonly backup = 'the column backup of the table jobferry_state';
  readonly #options: PostgresBackendOptions;
  readonly #workspace: string;
  /** Of what was read or written last; 0 when there was none. */
  #revision = 0;
  #pool: Promise<Pool> | undefined;

  constructor(options: PostgresBackendOptions) {
    this.#options = options;
    this.#workspace = options.workspace ?? 'default';
    this.name = `the workspace ${this.#workspace} in Postgres`;
  }

  async read(): Promise<string | undefined> {
    const select = 'SELECT content, revision FROM jobferry_state WHERE workspace = $1';
    const { rows } = await this.#query(select, [this.#workspace]);
    this.#revision = Number(rows[0]?.['revision'] ?? 0);
    return rows[0]?.['content'] as string | undefined;
  }

  async write(text: string): Promise<void> {
    const { rowCount } = await this.#query(
      `INSERT INTO jobferry_state AS kept (workspace, content, revision) VALUES ($1, $2, $3::bigint + 1)
       ON CONFLICT (workspace) DO UPDATE
       SET backup = kept.content, content = $2, revision = $3::bigint + 1, written_at = now()
       WHERE kept.revision = $3::bigint`,
      [this.#workspace, text, String(this.#revision)],
    );
    if (rowCount !== 1) throw stateMoved(this.name);
    this.#revision += 1;
  }

  async tryLock(lock: LockInfo): Promise<LockInfo | undefined> {
    for (;;) {
      const insert =
        'INSERT INTO jobferry_state_lock (workspace, lock) VALUES ($1, $2) ON CONFLICT DO NOTHING';
      const { rowCount } = await this.#query(insert, [this.#workspace, JSON.stringify(lock)]);
      if (rowCount === 1) return undefined;
      const { rows } = await this.#query('SELECT lock FROM jobferry_state_lock WHERE workspace = $1', [
        this.#workspace,
      ]);
      if (rows[0] !== undefined) return rows[0]['lock'] as LockInfo;
    }
  }

  async unlock(id: string): Promise<void> {
    await this.#query(`DELETE FROM jobferry_state_lock WHERE workspace = $1 AND lock->>'id' = $2`, [
      this.#workspace,
      id,
    ]);
  }

  async close(): Promise<void> {
    const pool = await this.#pool?.catch(() => undefined);
    await pool?.end();
  }

  async #query(
    text: string,
    values: readonly string[],
  ): Promise<{ rows: Record<string, unknown>[]; rowCount: number | null }> {
    this.#pool ??= this.#connect();
    try {
      return await (await this.#pool).query(text, [...values]);
    } catch (failure) {
      throw FaasError.is(failure) ? failure : this.#inWords(failure);
    }
  }

  async #connect(): Promise<Pool> {
    const { default: pg } = await import('pg').catch((cause: unknown) => {
      const message = 'A state in Postgres needs pg. Install it: npm install pg';
      throw new FaasError({ code: 'CONFIG', executed: 'no', message, cause });
    });
    const pool = new pg.Pool({ connectionString: this.#options.connectionString, max: 2 });
    try {
      await pool.query(TABLES);
      return pool;
    } catch (failure) {
      await pool.end();
      throw failure;
    }
  }

  /** A driver says neither that it is the state nor where that is. */
  #inWords(cause: unknown): FaasError {
    const { place, password } = placeOf(this.#options.connectionString);
    const first = cause instanceof AggregateError ? (cause.errors[0] as unknown) : cause;
    const reason = redacted(first instanceof Error ? first.message : String(first), [password]);
    const { code: sqlState = '' } = first as { code?: string };
    const message = `The state in ${this.name}, ${place}, cannot be used: ${reason}. Is the database up, does it let you in, and is --state or JOBFERRY_STATE right?`;
    const code = sqlState.startsWith('28') ? 'AUTH' : sqlState === '3D000' ? 'CONFIG' : 'UNAVAILABLE';
    return new FaasError({ code, executed: 'maybe', message, cause });
  }
}

/** Without what nobody should see: a query may hold a password too. */
function placeOf(connectionString: string): { readonly place: string; readonly password?: string } {
  if (!URL.canParse(connectionString)) return { place: 'by its connection string' };
  const { protocol, username, host, pathname, password } = new URL(connectionString);
  const user = username === '' ? '' : `${username}@`;
  return { place: `${protocol}//${user}${host}${pathname}`, password: decodeURIComponent(password) };
}
