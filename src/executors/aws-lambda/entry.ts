/** Runs inside Lambda: the handler shape of its Node.js runtimes -> a job. */
import type { AnyJob } from '../../core/define-job.js';
import { runJob } from '../../core/entry.js';
import { FaasError, remoteError } from '../../core/errors.js';
import type { JobId } from '../../core/job.js';
import { CallScope } from '../../core/scope.js';
import {
  deadlineOf,
  describe,
  type LambdaContext,
  type LambdaHandler,
  named,
  warmReply,
} from './entry-shape.js';
import { loadSecrets } from './secrets.js';
import { decodeEvent, isWarmEvent, type SuccessReply, successReply } from './wire.js';

export type { LambdaContext, LambdaHandler, WarmReply } from './entry-shape.js';
export { executableHandler } from './executable-entry.js';
export type { SuccessReply } from './wire.js';

/**
 * Starts a packaged function: fetches its secrets into the environment, then loads the code that may read them.
 * What goes wrong here is told as a function that could not be started, not as a job that failed.
 */
export async function startLambda(load: () => Promise<LambdaHandler>): Promise<LambdaHandler> {
  try {
    await loadSecrets(process.env);
    return await load();
  } catch (thrown) {
    if (FaasError.is(thrown)) throw describe(thrown);
    const { name, message, stack } = remoteError(thrown);
    throw named('FaasError.CONFIG.no', `The package cannot be loaded: ${name}: ${message}`, stack);
  }
}

/**
 * The handler of a function that holds these jobs.
 * `export const handler = lambdaHandler([resize, render]);`
 */
export function lambdaHandler(jobs: readonly AnyJob[] | ((jobId: JobId) => AnyJob)): LambdaHandler {
  const findJob = typeof jobs === 'function' ? jobs : finderOf(jobs);
  return async (event, context) => {
    if (isWarmEvent(event)) return warmReply(event);
    try {
      return await answer(findJob, event, context);
    } catch (thrown) {
      throw describe(thrown);
    }
  };
}

async function answer(
  findJob: (jobId: JobId) => AnyJob,
  event: unknown,
  context: LambdaContext,
): Promise<SuccessReply> {
  const lambdaDeadline = deadlineOf(context);
  const call = decodeEvent(event, lambdaDeadline);
  const scope = new CallScope(call.deadline);
  scope.arm(Math.max(0, call.deadline - Date.now()));
  try {
    const result = await runJob(findJob(call.jobId), call, scope, 'aws-lambda');
    // After the caller's own deadline nobody waits for a result. The job was waited for all the same: Lambda would
    // freeze it in the middle, and let it go on in the next call.
    if (scope.reason !== undefined && call.deadline < lambdaDeadline)
      throw scope.reason.with({ executed: 'yes' });
    return successReply(result, call.metadata);
  } finally {
    scope.disarm();
  }
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
