/**
 * An asynchronous call as a record. It is `pending` until there is room, `running` while it has a lease, and then
 * exactly one of five ends for good.
 */

import { type CallOutcome, isFinal } from '../domain/outcome.js';

export const TERMINAL_STATUSES = ['completed', 'failed', 'timeout', 'cancelled', 'dead'] as const;
export const STATUSES = ['pending', 'running', ...TERMINAL_STATUSES] as const;

export type TerminalStatus = (typeof TERMINAL_STATUSES)[number];
export type InvocationStatus = (typeof STATUSES)[number];

/** Runs of one invocation: the first, and those after a platform that ended in the middle of one. */
export const MAX_ATTEMPTS = 3;

export interface Invocation {
  readonly invocationId: string;
  /** What its caller names it, where that is not its id. Several may share it. */
  readonly callId?: string;
  readonly functionId: string;
  readonly jobId: number;
  /** Hash over what makes two calls the same. */
  readonly content: string;
  readonly status: InvocationStatus;
  /** How often the function was started for it. */
  readonly attempts: number;
  readonly createdAtMs: number;
  readonly startedAtMs?: number;
  readonly finishedAtMs?: number;
  /** There as soon as the status is terminal. */
  readonly outcome?: CallOutcome;
}

export function isTerminal(status: InvocationStatus): status is TerminalStatus {
  return status !== 'pending' && status !== 'running';
}

/** The end that an outcome leads to, where nobody cancelled. */
export function statusOf(outcome: CallOutcome): TerminalStatus {
  if (outcome.ok) return 'completed';
  return outcome.error.code === 'TIMEOUT' ? 'timeout' : 'failed';
}

/** May the outcome stand in for another run of the same call? */
export function isReplayable(invocation: Invocation): boolean {
  return invocation.outcome !== undefined && invocation.status !== 'cancelled' && isFinal(invocation.outcome);
}
