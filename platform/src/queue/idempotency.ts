/**
 * One execution for each idempotency key: while it runs, the key is taken; after its end, its outcome is told again.
 * Keys of asynchronous calls are those of their records, so a key means the same either way it is used.
 */

import type { CallReply } from '../domain/call.js';
import { messageOf, PlatformError } from '../domain/errors.js';
import type { PlatformLimits } from '../domain/limits.js';
import type { Log } from '../domain/log.js';
import { type CallOutcome, encodeOutcome, isFinal, outcomeOf } from '../domain/outcome.js';
import type { GroupCommit } from '../store/group-commit.js';
import { isReplayable, isTerminal } from './invocation.js';
import type { InvocationStore } from './invocation-store.js';
import type { KeptOutcomes } from './kept-outcomes.js';
import type { Storage } from './storage.js';

export interface KeyedCall {
  readonly functionId: string;
  readonly key: string;
  /** See `contentOf`. */
  readonly content: string;
}

export interface KeyedOutcome {
  readonly outcome: CallOutcome;
  /** Told again; nothing ran. */
  readonly isReplay: boolean;
}

export interface IdempotencyParts {
  readonly kept: KeptOutcomes;
  readonly invocations: InvocationStore;
  readonly disk: GroupCommit;
  readonly storage: Storage;
  readonly limits: PlatformLimits;
  readonly log: Log;
}

export class Idempotency {
  readonly #parts: IdempotencyParts;
  /** The content of synchronous calls that run, by their scopes. */
  readonly #running = new Map<string, string>();
  /** Asynchronous calls on their way to the disk: until they are there, no record tells of their keys. */
  readonly #accepting = new Map<string, { readonly content: string; calls: number }>();

  constructor(parts: IdempotencyParts) {
    this.#parts = parts;
  }

  /**
   * Runs the call, unless its key has an outcome already.
   * @throws PlatformError IN_PROGRESS, IDEMPOTENCY_MISMATCH, UNAVAILABLE when outcomes cannot be kept
   */
  async run(call: KeyedCall, execute: () => Promise<CallReply>): Promise<KeyedOutcome> {
    const scope = scopeOf(call);
    requireFree(this.#accepting.get(scope)?.content, call);
    const known = this.#recall(call) ?? this.#recallInvocation(call);
    if (known !== undefined) return { outcome: known, isReplay: true };
    this.#parts.storage.requireRoom();
    this.#running.set(scope, call.content);
    try {
      const outcome = await outcomeOf(execute());
      if (isFinal(outcome)) await this.#keep(call, outcome);
      return { outcome, isReplay: false };
    } finally {
      this.#running.delete(scope);
    }
  }

  /**
   * Takes an asynchronous call in, unless its key has an outcome already.
   * @param accept resolves once the call is on disk; which of several under one key that is, the records decide
   * @throws PlatformError IN_PROGRESS, IDEMPOTENCY_MISMATCH, and what `accept` throws
   */
  async accept<T>(
    call: KeyedCall,
    accept: () => Promise<T>,
  ): Promise<{ readonly accepted: T } | { readonly outcome: CallOutcome }> {
    const outcome = this.#recall(call);
    if (outcome !== undefined) return { outcome };
    const scope = scopeOf(call);
    const taken = this.#accepting.get(scope) ?? { content: call.content, calls: 0 };
    this.#accepting.set(scope, taken);
    taken.calls++;
    try {
      return { accepted: await accept() };
    } finally {
      taken.calls--;
      if (taken.calls === 0) this.#accepting.delete(scope);
    }
  }

  /** What a synchronous call under this key came to. */
  #recall(call: KeyedCall): CallOutcome | undefined {
    const { functionId, key, content } = call;
    requireFree(this.#running.get(scopeOf(call)), call);
    const notBefore = Date.now() - this.#parts.limits.idempotencyTtlSecs * 1000;
    const kept = this.#parts.kept.get(functionId, key, notBefore);
    if (kept === undefined) return undefined;
    requireSame(kept.content, content, key);
    return kept.outcome;
  }

  #recallInvocation({ functionId, key, content }: KeyedCall): CallOutcome | undefined {
    const invocation = this.#parts.invocations.findByKey(functionId, key);
    if (invocation === undefined) return undefined;
    requireSame(invocation.content, content, key);
    if (!isTerminal(invocation.status)) throw inProgress();
    return isReplayable(invocation) ? invocation.outcome : undefined;
  }

  async #keep({ functionId, key, content }: KeyedCall, outcome: CallOutcome): Promise<void> {
    const { kept, disk, log } = this.#parts;
    const stored = encodeOutcome(outcome);
    try {
      await disk.commit(() => kept.put(functionId, key, content, stored, Date.now()));
    } catch (error) {
      // The call has run and its caller must learn how; only a repetition under the same key would run again.
      log('error', 'outcome-not-kept', { functionId, error: messageOf(error) });
    }
  }
}

/** @throws PlatformError IDEMPOTENCY_MISMATCH */
export function requireSame(known: string, content: string, name: string): void {
  if (known === content) return;
  throw new PlatformError(
    'IDEMPOTENCY_MISMATCH',
    `${name} names another call. Give each call a name of its own.`,
  );
}

/** @param taken the content of the call that holds the key now */
function requireFree(taken: string | undefined, { content, key }: KeyedCall): void {
  if (taken === undefined) return;
  requireSame(taken, content, key);
  throw inProgress();
}

function scopeOf({ functionId, key }: KeyedCall): string {
  return `${functionId}\n${key}`;
}

function inProgress(): PlatformError {
  return new PlatformError('IN_PROGRESS', 'A call under this idempotency key is running.', {
    executed: 'maybe',
    retryAfterSecs: 1,
  });
}
