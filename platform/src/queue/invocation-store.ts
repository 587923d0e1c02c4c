/** The records of asynchronous calls. Every change of status names the status it starts from, and a run its lease. */

import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';

import { bytesOf, decodeOutcome, type StoredOutcome } from '../domain/outcome.js';
import type { Invocation, InvocationStatus, TerminalStatus } from './invocation.js';

export interface NewInvocation {
  readonly invocationId: string;
  readonly callId?: string | undefined;
  readonly functionId: string;
  readonly jobId: number;
  readonly content: string;
  readonly idempotencyKey: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  /** What the caller's X-Faas-Attempt said; the runs of the platform count on from it. */
  readonly firstAttempt: number;
  readonly args: Uint8Array;
  readonly deadlineMs: number | undefined;
  readonly createdAtMs: number;
}

export interface PendingInvocation {
  readonly invocationId: string;
  readonly functionId: string;
  readonly deadlineMs: number | undefined;
  /** When it was first put back since its function had no instance, by `performance.now()`. */
  readonly unavailableSinceMs?: number;
}

export interface InvocationInput {
  readonly args: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
  readonly firstAttempt: number;
}

export interface InvocationFilter {
  readonly functionId?: string;
  readonly status?: InvocationStatus;
  readonly limit: number;
  /** A cursor of an earlier page. */
  readonly after?: number;
}

export interface InvocationPage {
  /** Without their results. */
  readonly invocations: readonly Invocation[];
  readonly next?: number;
}

type Row = Record<string, SQLOutputValue>;

export interface InvocationStore {
  insert(invocation: NewInvocation): void;
  get(invocationId: string): Invocation | undefined;
  /** The newest of those that share it. */
  findByCallId(callId: string): Invocation | undefined;
  findByKey(functionId: string, idempotencyKey: string): Invocation | undefined;
  input(invocationId: string): InvocationInput | undefined;
  /** pending -> running. False when it is not pending any more. */
  claim(invocationId: string, lease: string, nowMs: number): boolean;
  /** running under this lease -> pending, as if it had never been claimed. False when it is not running so. */
  release(invocationId: string, lease: string): boolean;
  /** running under this lease -> terminal; without a lease: pending -> terminal. False when it is neither. */
  finish(invocationId: string, lease: string | undefined, end: InvocationEnd): boolean;
  /** What an earlier platform left running: pending again, or `dead` after so many attempts. Returns how many. */
  recover(maxAttempts: number, dead: StoredOutcome, nowMs: number): { requeued: number; dead: number };
  /** In the order of their arrival. */
  pending(): PendingInvocation[];
  list(filter: InvocationFilter): InvocationPage;
  deleteFinishedBefore(timeMs: number): number;
}

export interface InvocationEnd extends StoredOutcome {
  readonly status: TerminalStatus;
  readonly nowMs: number;
}

const COLUMNS = `seq, id, call_id, function_id, job_id, content, status, attempts, created_ms, started_ms, finished_ms, outcome`;

export function invocationStoreOn(database: DatabaseSync): InvocationStore {
  const insert = database.prepare(`
    INSERT INTO invocations (id, call_id, function_id, job_id, content, idempotency_key, context, args, bytes, status,
      deadline_ms, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?)`);
  const get = database.prepare(`SELECT ${COLUMNS}, result FROM invocations WHERE id = ?`);
  const byCallId = database.prepare(
    `SELECT ${COLUMNS}, result FROM invocations WHERE call_id = ? ORDER BY seq DESC LIMIT 1`,
  );
  const byKey = database.prepare(`
    SELECT ${COLUMNS}, result FROM invocations WHERE function_id = ? AND idempotency_key = ?
    ORDER BY seq DESC LIMIT 1`);
  const input = database.prepare('SELECT args, context FROM invocations WHERE id = ?');
  const claim = database.prepare(`
    UPDATE invocations SET status = 'running', attempts = attempts + 1, lease = ?, started_ms = ?
    WHERE id = ? AND status = 'pending'`);
  const release = database.prepare(`
    UPDATE invocations SET status = 'pending', attempts = attempts - 1, lease = NULL, started_ms = NULL
    WHERE id = ? AND status = 'running' AND lease = ?`);
  const END = `status = ?, lease = NULL, finished_ms = ?, outcome = ?, result = ?, bytes = ?, args = NULL, context = ''`;
  const finishRunning = database.prepare(
    `UPDATE invocations SET ${END} WHERE id = ? AND status = 'running' AND lease = ?`,
  );
  const finishPending = database.prepare(`UPDATE invocations SET ${END} WHERE id = ? AND status = 'pending'`);
  const bury = database.prepare(`UPDATE invocations SET ${END} WHERE status = 'running' AND attempts >= ?`);
  const requeue = database.prepare(
    `UPDATE invocations SET status = 'pending', lease = NULL WHERE status = 'running'`,
  );
  const pending = database.prepare(
    `SELECT id, function_id, deadline_ms FROM invocations WHERE status = 'pending' ORDER BY seq`,
  );
  const sweep = database.prepare('DELETE FROM invocations WHERE finished_ms < ?');
  return {
    insert(one) {
      const context = JSON.stringify({ metadata: one.metadata, firstAttempt: one.firstAttempt });
      insert.run(
        one.invocationId,
        one.callId ?? null,
        one.functionId,
        one.jobId,
        one.content,
        one.idempotencyKey ?? null,
        context,
        one.args,
        one.args.length + Buffer.byteLength(context),
        one.deadlineMs ?? null,
        one.createdAtMs,
      );
    },
    get: (invocationId) => toInvocation(get.get(invocationId)),
    findByCallId: (callId) => toInvocation(byCallId.get(callId)),
    findByKey: (functionId, key) => toInvocation(byKey.get(functionId, key)),
    input(invocationId) {
      const row = input.get(invocationId);
      if (row === undefined || !(row['args'] instanceof Uint8Array)) return undefined;
      const context = JSON.parse(String(row['context'])) as Omit<InvocationInput, 'args'>;
      return { ...context, args: row['args'] };
    },
    claim: (invocationId, lease, nowMs) => claim.run(lease, nowMs, invocationId).changes > 0,
    release: (invocationId, lease) => release.run(invocationId, lease).changes > 0,
    finish(invocationId, lease, { status, nowMs, outcome, result }) {
      const end = [status, nowMs, outcome, result, bytesOf({ outcome, result }), invocationId];
      const done = lease === undefined ? finishPending.run(...end) : finishRunning.run(...end, lease);
      return done.changes > 0;
    },
    recover(maxAttempts, end, nowMs) {
      const dead = bury.run('dead', nowMs, end.outcome, end.result, bytesOf(end), maxAttempts).changes;
      return { dead: Number(dead), requeued: Number(requeue.run().changes) };
    },
    pending: () =>
      pending.all().map((row) => ({
        invocationId: String(row['id']),
        functionId: String(row['function_id']),
        deadlineMs: optional(row['deadline_ms']),
      })),
    list({ functionId, status, limit, after = 0 }) {
      const wanted = { ...(functionId && { function_id: functionId }), ...(status && { status }) };
      // Only a column that the statement surely compares finds its index.
      const filter = Object.keys(wanted).map((column) => ` AND ${column} = :${column}`);
      const rows = database
        .prepare(
          `SELECT ${COLUMNS} FROM invocations WHERE seq > :after${filter.join('')} ORDER BY seq LIMIT :limit`,
        )
        .all({ ...wanted, after, limit: limit + 1 });
      const shown = rows.slice(0, limit);
      const last = shown.at(-1);
      return {
        invocations: shown.flatMap((row) => toInvocation(row) ?? []),
        ...(rows.length > limit && last !== undefined && { next: Number(last['seq']) }),
      };
    },
    deleteFinishedBefore: (timeMs) => Number(sweep.run(timeMs).changes),
  };
}

function toInvocation(row: Row | undefined): Invocation | undefined {
  if (row === undefined) return undefined;
  const startedAtMs = optional(row['started_ms']);
  const finishedAtMs = optional(row['finished_ms']);
  const { outcome, result, call_id: callId } = row;
  return {
    invocationId: String(row['id']),
    ...(typeof callId === 'string' && { callId }),
    functionId: String(row['function_id']),
    jobId: Number(row['job_id']),
    content: String(row['content']),
    status: String(row['status']) as InvocationStatus,
    attempts: Number(row['attempts']),
    createdAtMs: Number(row['created_ms']),
    ...(startedAtMs !== undefined && { startedAtMs }),
    ...(finishedAtMs !== undefined && { finishedAtMs }),
    ...(typeof outcome === 'string' && {
      outcome: decodeOutcome({ outcome, result: result instanceof Uint8Array ? result : null }),
    }),
  };
}

function optional(value: SQLOutputValue | undefined): number | undefined {
  return value === null || value === undefined ? undefined : Number(value);
}
