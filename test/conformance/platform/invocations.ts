/** Asynchronous calls: records in memory, one terminal status each. */
import type { Outcome, Rules } from './rules.js';

export interface Invocation {
  invocation_id: string;
  function_id: string;
  job_id: number;
  status: string;
  attempts: number;
  created_at: string;
  executed: string;
  started_at?: string;
  finished_at?: string;
  result?: number[];
  execution_ms?: number;
  metadata?: Record<string, string>;
  error?: string;
  code?: string;
  details?: Record<string, unknown>;
}

export interface Accepted {
  readonly record: Invocation;
  readonly content: string;
  readonly cancel: AbortController;
  readonly waiters: Set<() => void>;
}

const TERMINAL = ['completed', 'failed', 'timeout', 'cancelled', 'dead'];

export class Invocations {
  readonly all = new Map<string, Accepted>();
  readonly #rules: Rules;

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  /** @param run runs it; `onStart` tells that it has begun */
  accept(
    record: Invocation,
    content: string,
    run: (signal: AbortSignal, onStart: () => void) => Promise<Outcome>,
  ): Accepted {
    const accepted: Accepted = { record, content, cancel: new AbortController(), waiters: new Set() };
    this.all.set(record.invocation_id, accepted);
    const onStart = (): void => {
      if (isTerminal(record)) return;
      Object.assign(record, { status: 'running', attempts: 1, started_at: new Date().toISOString() });
      record.executed = 'maybe';
    };
    run(accepted.cancel.signal, onStart).then((outcome) => this.#finish(accepted, outcome));
    return accepted;
  }

  cancel(accepted: Accepted): void {
    if (isTerminal(accepted.record)) return;
    const executed = accepted.record.status === 'running' ? 'yes' : 'no';
    this.#end(accepted, 'cancelled', { executed, error: 'cancelled', code: 'CANCELLED', details: {} });
    // A platform whose terminal statuses are not final lets the function go on and believes its end.
    if (this.#rules.terminalIsFinal) accepted.cancel.abort();
  }

  #finish(accepted: Accepted, outcome: Outcome): void {
    const { status, executed, result, executionMs, metadata, error, code, details } = outcome;
    if (isTerminal(accepted.record) && this.#rules.terminalIsFinal) return;
    if (status === 200) {
      this.#end(accepted, 'completed', {
        executed,
        result: [...result],
        execution_ms: executionMs,
        ...(metadata && { metadata }),
      });
    } else {
      const failed = { executed, ...(error && { error }), ...(code && { code }), details };
      this.#end(accepted, code === 'TIMEOUT' ? 'timeout' : 'failed', failed);
    }
  }

  #end(accepted: Accepted, status: string, facts: Partial<Invocation>): void {
    Object.assign(accepted.record, { ...facts, status, finished_at: new Date().toISOString() });
    for (const wake of accepted.waiters) wake();
  }
}

export function isTerminal(record: Invocation): boolean {
  return TERMINAL.includes(record.status);
}

export async function untilTerminal(accepted: Accepted, secs: number): Promise<void> {
  if (isTerminal(accepted.record)) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      accepted.waiters.delete(done);
      resolve();
    };
    const timer = setTimeout(done, Math.min(secs, 20) * 1000);
    accepted.waiters.add(done);
  });
}
