/** Runs inside Lambda: the handler shape of its Node.js runtimes -> a call. */
import { pipeline } from 'node:stream/promises';
import type { AnyJob } from '../../core/define-job.js';
import { FaasError, remoteError } from '../../core/errors.js';
import type { JobId } from '../../core/job.js';
import type { ObjectStore } from '../../core/object-store.js';
import { resolveClaims } from '../shared/entry/claims.js';
import { decodeEvent, isWarmEvent, successReply } from '../shared/entry/event.js';
import { executableRunner } from '../shared/entry/executable.js';
import { named } from '../shared/entry/named.js';
import { type CallRunner, jobsRunner, jobsStreamer } from '../shared/entry/runner.js';
import {
  deadlineOf,
  describe,
  type LambdaContext,
  type LambdaHandler,
  type StreamHandler,
  streamifyResponse,
  warmReply,
} from './entry-shape.js';
import { loadSecrets } from './secrets.js';

export type { SuccessReply } from '../shared/entry/event.js';
export type { LambdaContext, LambdaHandler, WarmReply } from './entry-shape.js';

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

/** Opens the store of the claims that a call may bring; see the layer `claimCheck`. Called when the first one comes. */
export type OpenStore = () => Promise<ObjectStore>;

/**
 * The handler of a function that holds these jobs.
 * `export const handler = lambdaHandler([resize, render]);`
 * @param openStore `claimStore` of `jobferry/objects`, for callers with the layer `claimCheck`
 */
export function lambdaHandler(
  jobs: readonly AnyJob[] | ((jobId: JobId) => AnyJob),
  openStore: OpenStore = noStore,
): LambdaHandler {
  return handlerOf(resolveClaims(jobsRunner(jobs, 'aws-lambda'), openStore));
}

const noStore: OpenStore = () => {
  const message =
    'This function got a claim and was given no store. Pass claimStore of jobferry/objects to its entry.';
  return Promise.reject(new FaasError({ code: 'CONFIG', executed: 'no', message }));
};

/** The handler of a function that starts the executable `path` for each call, by the custom-FaaS spec's stdin and stdout. */
export function executableHandler(path: string, openStore: OpenStore = noStore): LambdaHandler {
  return handlerOf(resolveClaims(executableRunner(path), openStore));
}

/**
 * The handler of a function that holds these jobs and answers `invokeStream`. AWS waits for what it writes, so a slow
 * reader slows the job down. Undefined outside Lambda's Node.js runtimes.
 */
export function lambdaStream(jobs: readonly AnyJob[] | ((jobId: JobId) => AnyJob)): unknown {
  const run = jobsStreamer(jobs, 'aws-lambda');
  const handler: StreamHandler = async (event, output, context: LambdaContext) => {
    if (isWarmEvent(event)) {
      output.end(JSON.stringify(await warmReply(event)));
      return;
    }
    try {
      await pipeline(run(decodeEvent(event, deadlineOf(context))), output);
    } catch (thrown) {
      throw describe(thrown);
    }
  };
  return streamifyResponse(handler);
}

function handlerOf(run: CallRunner): LambdaHandler {
  return async (event, context) => {
    if (isWarmEvent(event)) return warmReply(event);
    try {
      const lambdaDeadline = deadlineOf(context);
      const { result, metadata } = await run(decodeEvent(event, lambdaDeadline), lambdaDeadline);
      return successReply(result, metadata);
    } catch (thrown) {
      throw describe(thrown);
    }
  };
}
