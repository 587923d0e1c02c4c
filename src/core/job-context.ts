/** What a handler gets beside its input. */
import type { JobCall, JobId, Metadata } from './job.js';

/** What a handler may know about the call it works on. */
export interface JobContext {
  readonly jobId: JobId;
  /** The job's name, as `defineJob` was told. */
  readonly jobName: string;
  /** Names the logical call; the same over all its attempts, so work done once can be recognised by it. */
  readonly callId: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** What the caller sent along. */
  readonly metadata: Metadata;
  /** Epoch milliseconds; `Infinity` for none. */
  readonly deadline: number;
  /** Aborted at the deadline or when the caller gives up. Pass it to everything that waits. */
  readonly signal: AbortSignal;
  /** Milliseconds left until the deadline, never negative. */
  remainingMs(): number;
}

/** Builds the context a handler sees from a call. */
export function jobContext(
  call: Omit<JobCall, 'args'>,
  jobName: string,
  context: { readonly deadline: number; readonly signal: AbortSignal },
): JobContext {
  return new HandlerContext(call, jobName, context);
}

// A class with getters, since making the signal is dear and most handlers never ask for it.
class HandlerContext implements JobContext {
  readonly jobName: string;
  readonly #call: Omit<JobCall, 'args'>;
  readonly #context: { readonly deadline: number; readonly signal: AbortSignal };

  constructor(
    call: Omit<JobCall, 'args'>,
    jobName: string,
    context: { readonly deadline: number; readonly signal: AbortSignal },
  ) {
    this.#call = call;
    this.jobName = jobName;
    this.#context = context;
  }

  get jobId(): JobId {
    return this.#call.jobId;
  }
  get callId(): string {
    return this.#call.callId;
  }
  get attempt(): number {
    return this.#call.attempt;
  }
  get metadata(): Metadata {
    return this.#call.metadata;
  }
  get deadline(): number {
    return this.#context.deadline;
  }
  get signal(): AbortSignal {
    return this.#context.signal;
  }
  /** Made when asked for, so that a handler may take it out of its context. */
  get remainingMs(): () => number {
    const { deadline } = this.#context;
    return () => Math.max(0, deadline - Date.now());
  }
}
