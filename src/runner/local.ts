/**
 * The local side of the house, in the shape of an invoker: handlers in this process stand behind the same layers
 * as a FaaS. Values pass through untouched; bytes are made only if somebody looks at them.
 */
import { encodeWith } from '../core/codec.js';
import { type AnyJob, type JobHandler, jobContext } from '../core/define-job.js';
import { encodeOutput } from '../core/entry.js';
import { functionError } from '../core/errors.js';
import type { CallContext, FaasInvoker, ProviderLimits } from '../core/executor.js';
import type { CallMetrics, JobCall, JobId, JobResult, Metadata } from '../core/job.js';
import { validate } from '../core/standard-schema.js';

export const LOCAL = 'local';

const NO_LIMITS: ProviderLimits = { asOf: '2026-11-20', source: 'this process' };

/** A call as the runner makes it: carries the value, encodes it on first use. */
export class RunnerCall implements JobCall {
  readonly jobId: JobId;
  readonly callId: string;
  readonly attempt = 1;
  readonly deadline: number;
  readonly idempotent: boolean;
  readonly metadata: Metadata;
  readonly job: AnyJob;
  readonly input: unknown;
  /** Counts attempts where they are made, whatever layers stand before. */
  readonly tally: AttemptTally;
  encoded: Uint8Array | undefined = undefined;

  constructor(
    job: AnyJob,
    jobId: JobId,
    callId: string,
    deadline: number,
    metadata: Metadata,
    input: unknown,
    tally: AttemptTally,
  ) {
    this.job = job;
    this.jobId = jobId;
    this.callId = callId;
    this.deadline = deadline;
    this.idempotent = job.idempotent === true;
    this.metadata = metadata;
    this.input = input;
    this.tally = tally;
  }

  get args(): Uint8Array {
    this.encoded ??= encodeWith(this.job.codec.input, this.input, `The input of job "${this.job.name}"`);
    return this.encoded;
  }
}

export interface AttemptTally {
  /** `performance.now()` at the start of the latest attempt. */
  readonly attemptStartMs: number;
  attempted(provider: string): void;
}

/** The result of a local handler: the value itself. */
export class LocalResult implements JobResult {
  readonly value: unknown;
  readonly metadata: Metadata;
  readonly #call: RunnerCall;

  constructor(call: RunnerCall, value: unknown) {
    this.#call = call;
    this.value = value;
    this.metadata = call.metadata;
  }

  /** A layer that wants to know learns how long the attempt has taken until now. */
  get metrics(): CallMetrics {
    const elapsedMs = performance.now() - this.#call.tally.attemptStartMs;
    return { totalMs: elapsedMs, executionMs: elapsedMs };
  }

  get result(): Uint8Array {
    const { job } = this.#call;
    return encodeOutput(job, this.value);
  }
}

/** Runs the handler of the call's job in this process. */
export class LocalInvoker implements FaasInvoker {
  readonly provider = LOCAL;
  readonly limits = NO_LIMITS;

  invoke(call: JobCall, context: CallContext): Promise<JobResult> {
    const runnerCall = call as RunnerCall;
    const { job, input } = runnerCall;
    // Most jobs have no schema: one promise for them, where an async function would take three.
    if (job.input === undefined && job.output === undefined) {
      runnerCall.tally.attempted(LOCAL);
      return run(runnerCall, input, context);
    }
    return runValidated(runnerCall, context);
  }
}

async function runValidated(call: RunnerCall, context: CallContext): Promise<JobResult> {
  const { job, input } = call;
  const checked =
    job.input === undefined
      ? input
      : await validate(job.input, input, `The input of job "${job.name}"`, 'no');
  // A schema may take its time: the handler of a call that is over by then does not begin.
  context.signal.throwIfAborted();
  call.tally.attempted(LOCAL);
  const result = await run(call, checked, context);
  if (job.output === undefined) return result;
  return new LocalResult(
    call,
    await validate(job.output, result.value, `The output of job "${job.name}"`, 'yes'),
  );
}

function run(call: RunnerCall, input: unknown, context: CallContext): Promise<LocalResult> {
  const { job } = call;
  const failed = (thrown: unknown): never => {
    throw functionError(thrown, { provider: LOCAL, functionName: job.name }, context);
  };
  try {
    const answer = (job.handler as JobHandler<unknown, unknown>)(input, jobContext(call, job.name, context));
    return Promise.resolve(answer).then((value) => new LocalResult(call, value), failed);
  } catch (thrown) {
    return Promise.reject(thrown).catch(failed);
  }
}

/** Counts an attempt just before an executor makes it. */
export class CountedInvoker implements FaasInvoker {
  readonly provider: string;
  readonly limits: ProviderLimits;
  readonly #inner: FaasInvoker;

  constructor(inner: FaasInvoker) {
    this.provider = inner.provider;
    this.limits = inner.limits;
    this.#inner = inner;
  }

  invoke(call: JobCall, context: CallContext): Promise<JobResult> {
    (call as RunnerCall).tally.attempted(this.provider);
    try {
      return this.#inner.invoke(call, context);
    } catch (thrown) {
      // An executor written by hand may throw where it should reject; the layers hear only of rejections.
      return Promise.reject(thrown);
    }
  }
}
