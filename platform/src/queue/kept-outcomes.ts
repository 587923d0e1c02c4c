/** Outcomes kept under the idempotency keys of synchronous calls. */

import type { DatabaseSync } from 'node:sqlite';

import { bytesOf, type CallOutcome, decodeOutcome, type StoredOutcome } from '../domain/outcome.js';

export interface KeptOutcome {
  readonly content: string;
  readonly outcome: CallOutcome;
}

export interface KeptOutcomes {
  get(functionId: string, key: string, finishedAfterMs: number): KeptOutcome | undefined;
  put(functionId: string, key: string, content: string, outcome: StoredOutcome, nowMs: number): void;
  deleteFinishedBefore(timeMs: number): number;
}

export function keptOutcomesOn(database: DatabaseSync): KeptOutcomes {
  const get = database.prepare(`
    SELECT content, outcome, result FROM kept_outcomes
    WHERE function_id = ? AND idempotency_key = ? AND finished_ms >= ?`);
  // Not INSERT OR REPLACE: the row it takes away would still be counted.
  const put = database.prepare(`
    INSERT INTO kept_outcomes
      (function_id, idempotency_key, content, finished_ms, bytes, outcome, result) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET content = excluded.content, finished_ms = excluded.finished_ms,
      bytes = excluded.bytes, outcome = excluded.outcome, result = excluded.result`);
  const sweep = database.prepare('DELETE FROM kept_outcomes WHERE finished_ms < ?');
  return {
    get(functionId, key, finishedAfterMs) {
      const row = get.get(functionId, key, finishedAfterMs);
      if (row === undefined) return undefined;
      const { content, outcome, result } = row;
      const stored = { outcome: String(outcome), result: result instanceof Uint8Array ? result : null };
      return { content: String(content), outcome: decodeOutcome(stored) };
    },
    put(functionId, key, content, stored, nowMs) {
      put.run(functionId, key, content, nowMs, bytesOf(stored), stored.outcome, stored.result);
    },
    deleteFinishedBefore: (timeMs) => Number(sweep.run(timeMs).changes),
  };
}
