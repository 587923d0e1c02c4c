/** One call, from request bytes to answer bytes. Both wire protocols use it. */
import { runJob } from '../../core/entry.js';
import { FaasError, type RemoteError, remoteError } from '../../core/errors.js';
import type { Metadata } from '../../core/job.js';
import { CallScope } from '../../core/scope.js';
import { encodeByteArray } from './byte-array.js';
import type { FindJob } from './jobs.js';
import { readRequest } from './request.js';

/**
 * Runs the job the request names.
 * @param deadlineMs epoch milliseconds, when the protocol states a deadline beside the request
 * @throws whatever went wrong; `describeFailure` puts it in the words of the wire.
 */
export async function answer(findJob: FindJob, request: Buffer, deadlineMs?: number): Promise<Buffer> {
  const call = readRequest(request, deadlineMs);
  const scope = new CallScope(call.deadline);
  if (call.deadline !== Infinity) scope.arm(Math.max(0, call.deadline - Date.now()));
  try {
    return success(await runJob(findJob(call.jobId), call, scope, 'bootstrap'), call.metadata);
  } finally {
    scope.disarm();
  }
}

function success(result: Uint8Array, metadata: Metadata): Buffer {
  const rest = `,"success":true,"metadata":${JSON.stringify(metadata)}}`;
  return Buffer.concat([Buffer.from('{"result":'), encodeByteArray(result), Buffer.from(rest)]);
}

/** The error a handler threw, without the wrapping that runJob put around it. */
export function describeFailure(thrown: unknown): RemoteError {
  return (FaasError.is(thrown) ? thrown.remote : undefined) ?? remoteError(thrown);
}

/** What stdout says about a failure. */
export function failure(thrown: unknown): Buffer {
  const { name, message, stack } = describeFailure(thrown);
  return Buffer.from(
    JSON.stringify({ result: [], success: false, error: message, error_name: name, error_stack: stack }),
  );
}
