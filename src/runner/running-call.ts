/** One accepted job from start to outcome: its scope, its place in the gates, its single settlement. */
import { decodeWith } from '../core/codec.js';
import type { JobRequest } from '../core/define-job.js';
import { FaasError } from '../core/errors.js';
import type { CallMetrics, JobResult, Metadata } from '../core/job.js';
import { CallScope } from '../core/scope.js';
import { validate } from '../core/standard-schema.js';
import { cannotRoute, noTarget, notAFaasError, statusOf, withExecuted } from './call-errors.js';
import type { CallOwner } from './call-owner.js';
import type { Listed } from './calls-in-flight.js';
import type { Delivery } from './consumer-lane.js';
import type { CallEvent } from './events.js';
import type { Waiter } from './gate.js';
import type { ItemSource } from './intake.js';
import { type AttemptTally, LOCAL, LocalResult, RunnerCall } from './local.js';
import type { Outcome, OutcomeStatus } from './outcome.js';
import type { JobRoute, Target } from './routes.js';

/** How long an executor may take to report the facts of a call that was just cancelled. */
const FACTS_GRACE_MS = 25;
const NO_METADATA: Metadata = Object.freeze({});

export class RunningCall extends CallScope implements Waiter, AttemptTally, Delivery, Listed {
  listNext: RunningCall | null = null;
  listPrevious: RunningCall | null = null;
  readonly source: ItemSource;
  readonly route: JobRoute;
  readonly request: JobRequest;
  readonly callId: string;
  /** Carries `ack` and `nack`, and counts in the summary. */
  readonly isPrimary: boolean;
  attempts = 0;
  resultBytes = 0;
  #outcome: Outcome | undefined;
  #parked = false;
  #awaiting = 0;
  #ranOn = LOCAL;
  #fellBack = false;
  #waited = false;
  #state: 'waiting' | 'running' | 'settled' = 'running';
  #target: Target | undefined;
  /** How many of the target's gates it is in, from the first. */
  #places = 0;
  /** Settled, while its local handler has not ended. */
  #handlerRunsOn = false;
  readonly #call: RunnerCall;
  readonly #owner: CallOwner;
  readonly #timeoutMs: number;
  readonly #startMs: number;
  attemptStartMs: number;

  constructor(
    owner: CallOwner,
    source: ItemSource,
    route: JobRoute,
    request: JobRequest,
    isPrimary: boolean,
    defaultTimeoutMs: number,
  ) {
    const nowEpochMs = Date.now();
    const timeoutMs =
      request.deadline === undefined
        ? (route.job.timeoutMs ?? defaultTimeoutMs)
        : Math.min(request.deadline - nowEpochMs, route.job.timeoutMs ?? Infinity);
    super(nowEpochMs + timeoutMs);
    this.#owner = owner;
    this.source = source;
    this.route = route;
    this.request = request;
    this.isPrimary = isPrimary;
    this.callId = request.callId ?? owner.newCallId();
    this.#timeoutMs = timeoutMs;
    this.#startMs = this.attemptStartMs = performance.now();
    const metadata = request.metadata ?? NO_METADATA;
    this.#call = new RunnerCall(
      route.job,
      request.jobId,
      this.callId,
      this.deadline,
      metadata,
      request.input,
      this,
    );
  }

  get outcome(): Outcome {
    return this.#outcome as Outcome;
  }

  /** Accepted, but not yet started: some gate has no place. */
  get isWaiting(): boolean {
    return this.#state === 'waiting';
  }

  /** Some consumer did not take the outcome. */
  get parked(): boolean {
    return this.#parked;
  }

  start(): void {
    if (this.#timeoutMs <= 0) return this.onDeadline();
    this.arm(this.#timeoutMs, this.#startMs);
    try {
      this.#target = this.route.target();
    } catch (thrown) {
      return this.fail(cannotRoute(this.route.job.name, thrown));
    }
    if (this.#target === undefined) return this.fail(noTarget(this.route.job.name));
    this.#proceed(this.#target);
  }

  wake(): void {
    this.#places += 1;
    try {
      if (this.#target !== undefined) this.#proceed(this.#target);
    } catch (error) {
      this.#owner.onDefect(error);
    }
  }

  /** Takes its places one gate after the other, keeping those it has while it waits for the next; then runs. */
  #proceed(target: Target): void {
    const { gates } = target;
    while (this.#places < gates.length) {
      if (gates[this.#places]?.enter(this) === false) return this.#wait();
      this.#places += 1;
    }
    if (this.#state === 'waiting') {
      this.#state = 'running';
      this.#owner.onNoLongerWaiting(this);
    }
    this.#run(target);
  }

  #wait(): void {
    if (this.#state === 'waiting') return;
    this.#state = 'waiting';
    this.#waited = true;
    this.#owner.onWaiting(this);
  }

  attempted(provider: string): void {
    // The first attempt of a call that did not wait starts when the call does: the clock was just read.
    if (this.attempts > 0 || this.#waited) this.attemptStartMs = performance.now();
    this.attempts += 1;
    this.#ranOn = provider;
    this.#owner.onAttempt(this, provider);
  }

  override cancel(reason: FaasError): boolean {
    if (!super.cancel(reason)) return false;
    if (this.#state === 'waiting') {
      this.#target?.gates[this.#places]?.forget(this);
      this.#owner.onNoLongerWaiting(this);
      this.#settleFailed(withExecuted(reason, 'no', this.route.job.name));
    } else if (this.#state === 'running') {
      const runsHere = this.#target?.isLocal === true || this.#fellBack;
      const executed = this.attempts === 0 ? 'no' : runsHere ? 'yes' : 'maybe';
      const error = withExecuted(reason, executed, this.route.job.name);
      // A handler in this process cannot be stopped: its late answer is dropped, and until then it counts for the limit
      // of its job. An executor may know more, and so may a layer that has not sent anything yet.
      this.#handlerRunsOn = runsHere;
      if (runsHere || this.#target === undefined) this.#settleFailed(error);
      else setTimeout(() => this.#settleFailed(error), FACTS_GRACE_MS);
    }
    return true;
  }

  #run(target: Target): void {
    const schema = this.route.job.input;
    let answer: Promise<JobResult>;
    try {
      // Encoded here, so that a value the codec refuses counts as no attempt, whatever the executor does first.
      if (!target.isLocal) void this.#call.args;
      answer =
        schema === undefined || target.isLocal
          ? target.invoker.invoke(this.#call, this)
          : validate(schema, this.request.input, `The input of job "${this.route.job.name}"`, 'no').then(() =>
              this.#invokeUnlessOver(target),
            );
      answer.then(this.#onResult, this.#onFailure);
    } catch (thrown) {
      this.fail(thrown);
    }
  }

  /** A schema may take its time: whoever was told meanwhile that the call did not run must not be wrong. */
  #invokeUnlessOver({ invoker }: Target): Promise<JobResult> {
    if (this.reason !== undefined) throw this.reason.with({ executed: 'no' });
    return invoker.invoke(this.#call, this);
  }

  readonly #onResult = (result: JobResult): void => {
    if (this.#state === 'settled') return this.#answeredLate();
    if (result instanceof LocalResult) return this.#settleOk(result.value, result);
    const { job } = this.route;
    const what = `The output of job "${job.name}"`;
    let value: unknown;
    try {
      this.resultBytes = result.result.length;
      value = decodeWith(job.codec.output, result.result, what);
    } catch (thrown) {
      return this.fail(thrown);
    }
    if (job.output === undefined) return this.#settleOk(value, result);
    validate(job.output, value, what, 'yes').then(
      (checked) => this.#settleOk(checked, result),
      this.#onFailure,
    );
  };

  readonly #onFailure = (thrown: unknown): void => {
    if (this.#state === 'settled') this.#answeredLate();
    else this.fail(thrown);
  };

  fail(thrown: unknown): void {
    if (this.#state === 'settled') return;
    const error = FaasError.is(thrown) ? thrown : notAFaasError(thrown, this.#ranOn);
    const { local, job } = this.route;
    const mayFallBack =
      job.localFallback === true &&
      local !== undefined &&
      this.#target?.isLocal === false &&
      !this.#fellBack &&
      this.reason === undefined &&
      error.executed === 'no' &&
      error.code !== 'INVALID_REQUEST';
    if (!mayFallBack) return this.#settleFailed(error);
    this.#fellBack = true;
    this.#owner.onFallback(this, error);
    local.invoker.invoke(this.#call, this).then(this.#onResult, this.#onFailure);
  }

  #settleOk(value: unknown, result: JobResult): void {
    this.#settle('ok', value, undefined, result);
  }

  #settleFailed(error: FaasError): void {
    this.#settle(statusOf(error, this.route.job), undefined, error, undefined);
  }

  #settle(
    status: OutcomeStatus,
    value: unknown,
    error: FaasError | undefined,
    result: JobResult | undefined,
  ): void {
    if (this.#state === 'settled') return;
    this.#state = 'settled';
    this.disarm();
    const { job, route } = this.route;
    const nowMs = performance.now();
    const totalMs = nowMs - this.#startMs;
    const metrics: CallMetrics =
      result instanceof LocalResult
        ? { totalMs, executionMs: nowMs - this.attemptStartMs }
        : { ...result?.metrics, totalMs };
    const outcome = {
      jobId: this.request.jobId,
      jobName: job.name,
      callId: this.callId,
      input: this.request.input,
      status,
      value,
      error,
      attempts: this.attempts,
      ranOn: metrics.provider ?? this.#ranOn,
      fellBack: this.#fellBack,
      route,
      metrics,
      metadata: result?.metadata ?? this.#call.metadata,
    };
    this.#outcome = outcome as Outcome;
    if (this.#places > 0) this.#leaveGates(this.#handlerRunsOn && this.route.jobGate !== undefined ? 1 : 0);
    this.#owner.onSettled(this);
  }

  /** What came after the outcome is dropped; the place it kept is free now. */
  #answeredLate(): void {
    if (this.#places === 0) return;
    this.#leaveGates(0);
    this.#owner.onPlaceFreed();
  }

  /** @param kept how many gates, from the first, it stays in */
  #leaveGates(kept: number): void {
    const gates = this.#target?.gates ?? [];
    const places = this.#places;
    this.#places = kept;
    for (let n = kept; n < places; n += 1) gates[n]?.leave();
    try {
      for (let n = kept; n < places; n += 1) gates[n]?.admit();
    } catch (error) {
      // Whatever happened to a call that came in: this one is settled, and its outcome must go out.
      this.#owner.onDefect(error);
    }
  }

  /** What events say about it. */
  event(): CallEvent {
    return { jobId: this.request.jobId, jobName: this.route.job.name, callId: this.callId };
  }

  giveTo(deliver: (outcome: Outcome) => unknown): unknown {
    return deliver(this.outcome);
  }

  /** Says to how many consumers the outcome goes, before the first is offered it. */
  expectDeliveries(count: number): void {
    this.#awaiting = count;
    if (count === 0) this.#owner.onDelivered(this);
  }

  delivered(parked: boolean): void {
    if (parked) this.#parked = true;
    this.#awaiting -= 1;
    if (this.#awaiting === 0) this.#owner.onDelivered(this);
  }
}
