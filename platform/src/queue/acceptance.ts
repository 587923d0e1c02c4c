/** Takes asynchronous calls in: durable before anybody is told so, and one invocation for each id and each key. */

import type { Calls } from '../calls.js';
import { PlatformError } from '../domain/errors.js';
import type { PlatformLimits } from '../domain/limits.js';
import { isStoreFull } from '../store/database.js';
import type { GroupCommit } from '../store/group-commit.js';
import { requireSame } from './idempotency.js';
import { type Invocation, isReplayable, isTerminal } from './invocation.js';
import type { InvocationStore, PendingInvocation } from './invocation-store.js';
import type { Storage } from './storage.js';

export interface AcceptanceParts {
  readonly calls: Calls;
  readonly invocations: InvocationStore;
  readonly disk: GroupCommit;
  readonly storage: Storage;
  readonly limits: PlatformLimits;
  /** Invocations that may wait. One more is refused before it is accepted. */
  readonly maxPending: number;
}

export interface AcceptRequest {
  readonly invocationId: string;
  /** What the caller names it, where that is not its id: no claim that two calls are the same. */
  readonly callId?: string | undefined;
  readonly functionId: string;
  readonly jobId: number;
  readonly args: Uint8Array;
  readonly content: string;
  readonly idempotencyKey: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly attempt: number;
  readonly budgetMs: number | undefined;
  /** Writes, with the record of a new invocation, what belongs to it. */
  readonly alsoWrite?: () => void;
}

export class Acceptance {
  readonly #parts: AcceptanceParts;
  readonly #waiting: () => number;
  /** Accepted and not yet in the line. */
  #underWay = 0;

  /** @param waiting how many are in the line now */
  constructor(parts: AcceptanceParts, waiting: () => number) {
    this.#parts = parts;
    this.#waiting = waiting;
  }

  /**
   * @param enqueue called with a new invocation as soon as it is on disk
   * @returns the invocation that the same id or key named before; undefined for a new one
   * @throws PlatformError IDEMPOTENCY_MISMATCH, THROTTLED, UNAVAILABLE
   */
  async accept(
    request: AcceptRequest,
    enqueue: (pending: PendingInvocation) => void,
  ): Promise<Invocation | undefined> {
    const { invocations, disk, calls, storage } = this.#parts;
    calls.refuseWhenClosing();
    const { invocationId, functionId, attempt: firstAttempt, budgetMs, alsoWrite, ...rest } = request;
    const createdAtMs = Date.now();
    const deadlineMs = budgetMs === undefined ? undefined : createdAtMs + budgetMs;
    let isNew = false;
    try {
      const known = await disk.commit(() => {
        const found = this.#known(request);
        if (found !== undefined) return found;
        storage.requireRoom();
        this.#requireRoom();
        // First, since what belongs to no invocation does no harm.
        alsoWrite?.();
        invocations.insert({ ...rest, invocationId, functionId, firstAttempt, deadlineMs, createdAtMs });
        this.#underWay++;
        isNew = true;
        return undefined;
      });
      if (known !== undefined) return known;
      enqueue({ invocationId, functionId, deadlineMs });
      return undefined;
    } catch (error) {
      throw isStoreFull(error) ? storeFull(error) : error;
    } finally {
      if (isNew) this.#underWay--;
    }
  }

  /** @throws PlatformError IDEMPOTENCY_MISMATCH */
  #known({ invocationId, functionId, idempotencyKey, content }: AcceptRequest): Invocation | undefined {
    const { invocations, limits } = this.#parts;
    const byId = invocations.get(invocationId);
    if (byId !== undefined && isPast(byId, limits))
      invocations.deleteFinishedBefore(Date.now() - limits.invocationRetentionSecs * 1000);
    else if (byId !== undefined) {
      requireSame(byId.content, content, 'X-Faas-Call-Id');
      return byId;
    }
    if (idempotencyKey === undefined) return undefined;
    const byKey = invocations.findByKey(functionId, idempotencyKey);
    if (byKey === undefined) return undefined;
    requireSame(byKey.content, content, 'X-Faas-Idempotency-Key');
    return isTerminal(byKey.status) && !isReplayable(byKey) ? undefined : byKey;
  }

  #requireRoom(): void {
    const waiting = this.#waiting() + this.#underWay;
    if (waiting < this.#parts.maxPending) return;
    throw new PlatformError('THROTTLED', `${waiting} invocations are waiting already. Try again later.`, {
      retryAfterSecs: 1,
      details: { waiting },
    });
  }
}

/** Is the time over for which an ended invocation is kept? */
export function isPast({ finishedAtMs }: Invocation, limits: PlatformLimits): boolean {
  return finishedAtMs !== undefined && finishedAtMs < Date.now() - limits.invocationRetentionSecs * 1000;
}

function storeFull(cause: unknown): PlatformError {
  return new PlatformError('UNAVAILABLE', 'The disk of the data folder is full; the call was not accepted.', {
    retryAfterSecs: 60,
    cause,
  });
}
