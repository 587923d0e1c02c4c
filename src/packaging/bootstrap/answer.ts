/** One call, from request bytes to answer bytes. Both wire protocols use it. */
import { encodeByteArray } from '../../core/byte-array-json.js';
import { isMarked } from '../../core/claim-marks.js';
import { runJob } from '../../core/entry.js';
import { FaasError, type RemoteError, remoteError } from '../../core/errors.js';
import type { JobCall, Metadata } from '../../core/job.js';
import { CallScope } from '../../core/scope.js';
import type { FindJob } from './jobs.js';
import { readBinaryRequest, readRequest } from './request.js';

/**
 * Runs the job that a JSON request names.
 * @param deadlineMs epoch milliseconds, when the protocol states a deadline beside the request
 * @throws whatever went wrong; `describeFailure` puts it in the words of the wire.
 */
export async function answer(findJob: FindJob, request: Buffer, deadlineMs?: number): Promise<Buffer> {
  const { call, form } = readRequest(request, deadlineMs);
  const { result, metadata } = await run(findJob, call);
  return form === 'array' ? jsonAnswer(result, metadata) : base64Answer(result, metadata);
}

/** The same for a request in either form, answered in the form it came in. */
export async function answerInKind(findJob: FindJob, request: Buffer): Promise<Buffer> {
  const call = readBinaryRequest(request);
  if (call === undefined) return answer(findJob, request);
  const { result, metadata } = await run(findJob, call);
  return binaryAnswer(result, metadata);
}

interface Answer {
  readonly result: Uint8Array;
  readonly metadata: Metadata;
}

/** Input and output that were too large for the wire come and go through the store of the function's environment. */
async function run(findJob: FindJob, call: JobCall): Promise<Answer> {
  if (!isMarked(call.metadata)) return { result: await runHere(findJob, call), metadata: call.metadata };
  const { runClaimed } = await import('../../core/claim-calls.js');
  const openStore = async () => (await import('../../objects/open.js')).claimStore();
  return runClaimed(call, openStore, async (plain) => ({
    result: await runHere(findJob, plain),
    metadata: plain.metadata,
  }));
}

async function runHere(findJob: FindJob, call: JobCall): Promise<Uint8Array> {
  const scope = new CallScope(call.deadline);
  if (call.deadline !== Infinity) scope.arm(Math.max(0, call.deadline - Date.now()));
  try {
    return await runJob(findJob(call.jobId), call, scope, 'bootstrap');
  } finally {
    scope.disarm();
  }
}

function jsonAnswer(result: Uint8Array, metadata: Metadata): Buffer {
  const rest = `,"success":true,"metadata":${JSON.stringify(metadata)}}`;
  return Buffer.concat([Buffer.from('{"result":'), encodeByteArray(result), Buffer.from(rest)]);
}

function base64Answer(result: Uint8Array, metadata: Metadata): Buffer {
  return Buffer.from(
    JSON.stringify({ result_base64: Buffer.from(result).toString('base64'), success: true, metadata }),
  );
}

function binaryAnswer(result: Uint8Array, metadata: Metadata): Buffer {
  const header = JSON.stringify({ success: true, result_length: result.length, metadata });
  return Buffer.concat([Buffer.from(`${header}\n`), result]);
}

/** The error a handler threw, without the wrapping that runJob put around it. */
export function describeFailure(thrown: unknown): RemoteError {
  return (FaasError.is(thrown) ? thrown.remote : undefined) ?? remoteError(thrown);
}

/**
 * What stdout says about a failure, valid in both forms: a module that throws while it is loaded fails before
 * anyone has read which form the platform speaks.
 */
export function failure(thrown: unknown): Buffer {
  const { name, message, stack } = describeFailure(thrown);
  const header = {
    success: false,
    result: [],
    result_length: 0,
    error: message,
    error_name: name,
    error_stack: stack,
  };
  return Buffer.from(`${JSON.stringify(header)}\n`);
}
