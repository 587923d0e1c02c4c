/** Small pieces the contract cases are made of. */
import { FaasError } from '../core/errors.js';
import type { JobCall, JobId, JobResult } from '../core/job.js';
import { type CallScope, callContext } from '../core/scope.js';
import type { Bench } from './contract-types.js';

/** Long enough for a slow cloud, short enough to end a hung suite with a clear error. */
const CALL_TIMEOUT_MS = 60_000;

export const toBytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const toText = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

let calls = 0;

/** A call with an id of its own. */
export function contractCall(
  jobId: JobId,
  args: Uint8Array | string = '',
  changes: Partial<JobCall> = {},
): JobCall {
  calls += 1;
  return {
    jobId,
    args: typeof args === 'string' ? toBytes(args) : args,
    callId: `contract-${process.pid}-${calls}`,
    attempt: 1,
    deadline: Infinity,
    idempotent: false,
    metadata: {},
    ...changes,
  };
}

export function invoke(
  { executor }: Bench,
  call: JobCall,
  context: CallScope = callContext({ timeoutMs: CALL_TIMEOUT_MS }),
): Promise<JobResult> {
  return executor.invoke(call, context).finally(() => context.disarm());
}

/** The error `work` fails with. Anything but a FaasError fails the case, and so does success. */
export async function failureOf(work: Promise<unknown>): Promise<FaasError> {
  let thrown: unknown;
  try {
    await work;
  } catch (error) {
    thrown = error;
  }
  if (FaasError.is(thrown)) return thrown;
  throw new Error(
    thrown === undefined
      ? 'expected a failure, the call succeeded'
      : 'expected a FaasError, something else was thrown',
    { cause: thrown },
  );
}

export const cancelReason = () =>
  new FaasError({ code: 'CANCELLED', executed: 'maybe', message: 'Cancelled by the contract.' });

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
