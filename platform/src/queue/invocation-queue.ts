/**
 * Asynchronous calls: accepted once they are on disk, run when there is room, ended exactly once. Each run holds a
 * lease that only its own end can spend; what a dead platform left running is run again, a bounded number of times.
 */

import { randomUUID } from 'node:crypto';

import { type CallTarget, type CallTicket, type Lane, newRequestId } from '../calls.js';
import type { CallRequest } from '../domain/call.js';
import { type ErrorCode, messageOf, PlatformError } from '../domain/errors.js';
import type { Log } from '../domain/log.js';
import { type CallOutcome, encodeOutcome, outcomeOf } from '../domain/outcome.js';
import { outOfPatience } from '../pool/slots.js';
import { Acceptance, type AcceptanceParts, type AcceptRequest, isPast } from './acceptance.js';
import { type Invocation, isTerminal, MAX_ATTEMPTS, statusOf } from './invocation.js';
import { InvocationEnds } from './invocation-ends.js';
import type { InvocationFilter, InvocationPage, PendingInvocation } from './invocation-store.js';
import { Pauses } from './pauses.js';
import { PendingLine } from './pending-line.js';

const RETRY_MS = 100;
/** Instances come and go without a word to the queue, and their room with them. */
const LOOK_EVERY_MS = 1000;
/** Before a claim: the line for slots is full, or the disk is. What was accepted keeps its turn. */
const NOT_YET: ReadonlySet<ErrorCode> = new Set(['THROTTLED', 'INFRASTRUCTURE_ERROR']);

/** After a claim, and without a run: the function's instances have no room, or there is none. */
const LONGEST_PAUSE_MS: Partial<Record<ErrorCode, number>> = { THROTTLED: 200, UNAVAILABLE: 5000 };
/** A call without a deadline fails when its function has had no instance for so long. */
const UNAVAILABLE_PATIENCE_MS = 300_000;

export interface QueueParts extends AcceptanceParts {
  /** Invocations that run, or stand in line for a slot, at once. */
  readonly concurrency: Readonly<Record<Lane, number>>;
  /** Undefined when the function is not deployed. */
  readonly targetOf: (functionId: string) => Pick<CallTarget, 'lane' | 'maxConcurrency'> | undefined;
  readonly onEnd: (invocationId: string) => void;
  readonly log: Log;
}

export interface Accepted {
  readonly invocation: Invocation;
  readonly isNew: boolean;
}

interface Running {
  cancel(): void;
  readonly ended: Promise<void>;
}

const GONE = { lane: 'process', maxConcurrency: 1 } as const;
const WHY_CANCELLED = 'The invocation was cancelled on request.';

export class InvocationQueue {
  readonly #parts: QueueParts;
  readonly #acceptance: Acceptance;
  readonly #line: PendingLine;
  readonly #pauses = new Pauses();
  readonly #running = new Map<string, Running>();
  readonly #runningByFunction = new Map<string, number>();
  readonly #runningByLane: Record<Lane, number> = { process: 0, warm: 0 };
  readonly #ends: InvocationEnds;
  readonly #settling = new Set<Promise<unknown>>();
  #clock: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(parts: QueueParts) {
    this.#parts = parts;
    this.#acceptance = new Acceptance(parts, () => this.#line.size);
    this.#ends = new InvocationEnds(parts);
    this.#line = new PendingLine((expired) => this.#settle(this.#expire(expired)));
  }

  /** Takes up what an earlier platform left. Call it before anything else. */
  async recover(): Promise<void> {
    const { invocations, disk, log } = this.#parts;
    const message = `The platform ended ${MAX_ATTEMPTS} times while this invocation ran; it is not tried again.`;
    const error = new PlatformError('INFRASTRUCTURE_ERROR', message, { executed: 'maybe' });
    const dead = encodeOutcome({ ok: false, error });
    const found = await disk.commit(() => invocations.recover(MAX_ATTEMPTS, dead, Date.now()));
    if (found.requeued + found.dead > 0) log('warn', 'invocations-recovered', { ...found });
    for (const pending of invocations.pending()) this.#line.push(pending);
  }

  /** Begins to run what waits. */
  start(): void {
    this.#pump();
    this.#clock = setInterval(() => this.#pump(), LOOK_EVERY_MS).unref();
  }

  /**
   * Resolves once the invocation is on disk. The same id or key with the same content names the same invocation.
   * @throws PlatformError IDEMPOTENCY_MISMATCH, THROTTLED, UNAVAILABLE
   */
  async accept(request: AcceptRequest): Promise<Accepted> {
    const known = await this.#acceptance.accept(request, (pending) => {
      // A platform that stopped in the meantime leaves it to the next one.
      if (this.#isStopped) return;
      this.#line.push(pending);
      this.#pump();
    });
    if (known !== undefined) return { invocation: known, isNew: false };
    return { invocation: this.describe(request.invocationId), isNew: true };
  }

  /** @throws PlatformError NOT_FOUND, also when its time in the records is over */
  describe(invocationId: string): Invocation {
    const invocation = this.find(invocationId);
    if (invocation !== undefined) return invocation;
    throw new PlatformError('NOT_FOUND', `There is no invocation ${invocationId}, or not any more.`, {
      details: { invocation_id: invocationId },
    });
  }

  find(invocationId: string): Invocation | undefined {
    const invocation = this.#parts.invocations.get(invocationId);
    return invocation === undefined || isPast(invocation, this.#parts.limits) ? undefined : invocation;
  }

  /** By its id, or the newest that its caller names so. */
  findCall(callId: string): Invocation | undefined {
    const named = this.find(callId) ?? this.#parts.invocations.findByCallId(callId);
    return named === undefined || isPast(named, this.#parts.limits) ? undefined : named;
  }

  list(filter: InvocationFilter): InvocationPage {
    const page = this.#parts.invocations.list(filter);
    return {
      ...page,
      invocations: page.invocations.filter((invocation) => !isPast(invocation, this.#parts.limits)),
    };
  }

  /** Waits until the invocation has ended, `ms` have passed, the caller has gone or the queue stops. */
  async waitForEnd(
    invocationId: string,
    ms: number,
    onCallerGone: (stop: () => void) => void,
  ): Promise<Invocation> {
    const invocation = this.describe(invocationId);
    if (isTerminal(invocation.status)) return invocation;
    await this.#ends.waitFor(invocationId, ms, onCallerGone);
    return this.describe(invocationId);
  }

  /** Ends a pending or running invocation as `cancelled`; an ended one stays as it is. */
  async cancel(invocationId: string): Promise<Invocation> {
    for (;;) {
      const invocation = this.describe(invocationId);
      const running = this.#running.get(invocationId);
      const pending = this.#line.find(invocation.functionId, invocationId);
      if (isTerminal(invocation.status) || (running === undefined && pending === undefined))
        return invocation;
      if (running !== undefined) {
        running.cancel();
        await running.ended;
      } else if (pending !== undefined && this.#line.remove(pending)) {
        const error = new PlatformError('CANCELLED', WHY_CANCELLED);
        await this.#ends.write(invocationId, undefined, 'cancelled', { ok: false, error });
      }
    }
  }

  /** Starts nothing more; those who wait for an end get the state as it is. */
  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#clock);
    this.#line.clear();
    this.#ends.stop();
  }

  /** Resolves when nothing is about to be written any more. Call `stop` before. */
  async settled(): Promise<void> {
    while (this.#settling.size > 0) await Promise.allSettled(this.#settling);
  }

  #pump(): void {
    const hasRoom = (functionId: string): boolean => {
      // A function that is gone takes no room: its invocations end at once.
      const { lane, maxConcurrency } = this.#parts.targetOf(functionId) ?? GONE;
      if (this.#pauses.isPaused(functionId)) return false;
      const inFunction = this.#runningByFunction.get(functionId) ?? 0;
      return inFunction < maxConcurrency && this.#runningByLane[lane] < this.#parts.concurrency[lane];
    };
    while (!this.#isStopped) {
      const next = this.#line.take(hasRoom);
      if (next === undefined) return;
      this.#begin(next);
    }
  }

  #begin(pending: PendingInvocation): void {
    const { invocationId, functionId } = pending;
    const inFunction = this.#runningByFunction.get(functionId) ?? 0;
    this.#runningByFunction.set(functionId, inFunction + 1);
    const { lane } = this.#parts.targetOf(functionId) ?? GONE;
    this.#runningByLane[lane]++;
    let cancel: (why?: string) => void = () => {};
    const ended = this.#run(pending, (ofCall) => {
      cancel = ofCall;
    }).finally(() => {
      this.#running.delete(invocationId);
      this.#runningByLane[lane]--;
      const left = (this.#runningByFunction.get(functionId) ?? 1) - 1;
      if (left > 0) this.#runningByFunction.set(functionId, left);
      else this.#runningByFunction.delete(functionId);
      this.#pump();
    });
    this.#running.set(invocationId, { cancel: () => cancel(WHY_CANCELLED), ended });
    this.#settle(ended);
  }

  async #run(pending: PendingInvocation, onCancel: CallTicket['onCancel']): Promise<void> {
    const { invocationId, functionId, deadlineMs } = pending;
    let lease: string | undefined;
    let isTaken = false;
    const begin = async (): Promise<CallRequest> => {
      const claim = randomUUID();
      const { invocations, disk } = this.#parts;
      const isOurs = await disk.commit(() => invocations.claim(invocationId, claim, Date.now()));
      const input = invocations.input(invocationId);
      const invocation = invocations.get(invocationId);
      if (!isOurs || input === undefined || invocation === undefined) {
        isTaken = true;
        throw new PlatformError('INFRASTRUCTURE_ERROR', 'The invocation is not pending any more.');
      }
      lease = claim;
      const { metadata, args, firstAttempt } = input;
      const attempt = firstAttempt + invocation.attempts - 1;
      return { callId: invocation.callId ?? invocationId, jobId: invocation.jobId, args, attempt, metadata };
    };
    const budgetMs = deadlineMs === undefined ? undefined : deadlineMs - Date.now();
    const call = this.#parts.calls.run({ functionId, requestId: newRequestId(), budgetMs, begin, onCancel });
    const outcome = await outcomeOf(call).catch(
      (error): CallOutcome => this.#unexpected(invocationId, error),
    );
    if (isTaken) return;
    if (!outcome.ok && outcome.error.code === 'CANCELLED')
      return this.#ends.write(invocationId, lease, 'cancelled', outcome);
    if (!outcome.ok && lease === undefined && NOT_YET.has(outcome.error.code)) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      if (!this.#isStopped) this.#line.push(pending);
      return;
    }
    if (this.#isStopped && !outcome.ok && outcome.error.code === 'UNAVAILABLE') {
      // Ended by the platform's own end, and the next platform goes on from there: with a record that is as if it had
      // never been claimed, or that still says it runs.
      if (lease !== undefined && outcome.error.executed === 'no') await this.#release(invocationId, lease);
      return;
    }
    if (lease !== undefined && isRefused(outcome) && (await this.#putBack(pending, lease, outcome))) return;
    if (outcome.ok || outcome.error.executed !== 'no') this.#pauses.end(functionId);
    await this.#ends.write(invocationId, lease, statusOf(outcome), outcome);
  }

  /** What was accepted and never ran keeps waiting. False when it has waited long enough. */
  async #putBack(pending: PendingInvocation, lease: string, { error }: FailedOutcome): Promise<boolean> {
    const { invocationId, functionId, deadlineMs } = pending;
    const pauseMs = this.#pauses.begin(functionId, LONGEST_PAUSE_MS[error.code] ?? 0);
    const nowMs = performance.now();
    const { unavailableSinceMs = nowMs } = error.code === 'UNAVAILABLE' ? pending : {};
    if (deadlineMs === undefined && nowMs - unavailableSinceMs > UNAVAILABLE_PATIENCE_MS) return false;
    if (!(await this.#release(invocationId, lease))) return false;
    if (this.#isStopped) return true;
    this.#line.push({ ...pending, unavailableSinceMs });
    setTimeout(() => this.#pump(), pauseMs).unref();
    return true;
  }

  /** Makes it pending again, with no attempt counted. */
  async #release(invocationId: string, lease: string): Promise<boolean> {
    const { invocations, disk, log } = this.#parts;
    try {
      return await disk.commit(() => invocations.release(invocationId, lease));
    } catch (failure) {
      log('error', 'not-put-back', { invocationId, error: messageOf(failure) });
      return false;
    }
  }

  async #expire({ invocationId }: PendingInvocation): Promise<void> {
    await this.#ends.write(invocationId, undefined, 'timeout', { ok: false, error: outOfPatience() });
  }

  #unexpected(invocationId: string, error: unknown): CallOutcome {
    this.#parts.log('error', 'invocation-failed', { invocationId, error: messageOf(error) });
    const message = 'The platform failed while it ran this invocation. Its log has the reason.';
    return { ok: false, error: new PlatformError('INFRASTRUCTURE_ERROR', message, { executed: 'maybe' }) };
  }

  #settle(work: Promise<unknown>): void {
    this.#settling.add(work);
    work.finally(() => this.#settling.delete(work)).catch(() => {});
  }
}

type FailedOutcome = Extract<CallOutcome, { readonly ok: false }>;

function isRefused(outcome: CallOutcome): outcome is FailedOutcome {
  return !outcome.ok && outcome.error.executed === 'no' && outcome.error.code in LONGEST_PAUSE_MS;
}
