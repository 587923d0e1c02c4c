/** What an entry inside a cloud does with a call, whatever shape the cloud hands it over in. */
import type { AnyJob } from '../../../core/define-job.js';
import { runJob, runJobStream } from '../../../core/entry.js';
import { FaasError } from '../../../core/errors.js';
import type { JobCall, JobId, Metadata } from '../../../core/job.js';
import { CallScope } from '../../../core/scope.js';

export interface CallAnswer {
  readonly result: Uint8Array;
  readonly metadata: Metadata;
}

/**
 * Runs one call.
 * @param hostDeadline epoch milliseconds when the cloud ends the process; `call.deadline` is never later
 * @throws what the job threw, or a FaasError that says why it could not run
 */
export type CallRunner = (call: JobCall, hostDeadline?: number) => Promise<CallAnswer>;

/** Runs jobs of ours in this process. */
export function jobsRunner(
  jobs: readonly AnyJob[] | ((jobId: JobId) => AnyJob),
  provider: string,
): CallRunner {
  const findJob = typeof jobs === 'function' ? jobs : finderOf(jobs);
  return async (call, hostDeadline = Infinity) => {
    const scope = new CallScope(call.deadline);
    if (call.deadline !== Infinity) scope.arm(Math.max(0, call.deadline - Date.now()));
    try {
      const result = await runJob(findJob(call.jobId), call, scope, provider);
      // After the caller's own deadline nobody waits for a result. The job was waited for all the same: the cloud
      // would freeze it in the middle, and let it go on in the next call.
      if (scope.reason !== undefined && call.deadline < hostDeadline) {
        throw scope.reason.with({ executed: 'yes' });
      }
      return { result, metadata: call.metadata };
    } finally {
      scope.disarm();
    }
  };
}

/** The same, for results that go out in pieces. */
export function jobsStreamer(
  jobs: readonly AnyJob[] | ((jobId: JobId) => AnyJob),
  provider: string,
): (call: JobCall) => AsyncGenerator<Uint8Array> {
  const findJob = typeof jobs === 'function' ? jobs : finderOf(jobs);
  return async function* (call) {
    const scope = new CallScope(call.deadline);
    if (call.deadline !== Infinity) scope.arm(Math.max(0, call.deadline - Date.now()));
    try {
      yield* runJobStream(findJob(call.jobId), call, scope, provider);
    } finally {
      scope.disarm();
    }
  };
}

function finderOf(jobs: readonly AnyJob[]): (jobId: JobId) => AnyJob {
  const byId = new Map(jobs.map((job) => [job.id, job]));
  return (jobId) => {
    const job = byId.get(jobId);
    if (job !== undefined) return job;
    const message = `This function does not hold job ${jobId}. It holds ${[...byId.keys()].join(', ')}.`;
    throw new FaasError({ code: 'CONFIG', executed: 'no', message });
  };
}
