/** Calls that a gateway queues: 202 at once, and the result by a callback, or never. */
import { randomUUID } from 'node:crypto';
import { FaasError } from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import type { JobCall, JobResult } from '../../core/job.js';
import type { CallbackReceiver } from './callbacks.js';
import { callError } from './errors.js';
import type { Invoker } from './invoke.js';
import { MAX_QUEUED_BYTES } from './limits.js';
import { PROVIDER } from './options.js';
import type { Profile } from './profile.js';
import { config, functionNameOf, type Settings } from './settings.js';

/** A call that a queue has taken. OpenFaaS keeps no record of it that could be asked for. */
export interface AsyncCall {
  /** `X-Call-Id`, by which logs and callbacks name it. */
  readonly callId: string;
  /**
   * What the function answered, once the callback is there.
   * @throws {FaasError} CONFIG when the call was made without a receiver of ours
   */
  result(context: CallContext): Promise<JobResult>;
}

/**
 * @param callback a receiver of ours, the URL of another one, or nothing: nobody learns of the result then
 * @throws {FaasError} when the queue did not take the call; `maybe` when its answer was lost
 */
export async function invokeAsync(
  settings: Settings,
  profile: Profile,
  invoker: Invoker,
  call: JobCall,
  context: CallContext,
  callback: CallbackReceiver | string | undefined,
): Promise<AsyncCall> {
  const startedMs = performance.now();
  const functionName = functionNameOf(settings, call.jobId);
  const url = profile.asyncUrl?.(functionName);
  const refuse = (code: 'UNSUPPORTED' | 'PAYLOAD_TOO_LARGE', why: string) => {
    const message = `${functionName} was not called: ${why}.`;
    return new FaasError({ code, executed: 'no', provider: PROVIDER, functionName, message });
  };
  if (url === undefined) throw refuse('UNSUPPORTED', `the profile ${settings.profile} has no queue`);
  if (call.args.length > MAX_QUEUED_BYTES)
    throw refuse(
      'PAYLOAD_TOO_LARGE',
      `the input has ${call.args.length} bytes, a queue takes ${MAX_QUEUED_BYTES}`,
    );
  const receiver = typeof callback === 'object' ? callback : undefined;
  const callbackUrl = receiver?.url ?? callback;
  if (typeof callbackUrl === 'string' && !URL.canParse(callbackUrl))
    throw config('was given a callback that is no URL');
  // Ours, so that the receiver knows it before the gateway does. Nobody can guess it.
  const ownId = randomUUID();
  const headers = ['x-call-id', ownId];
  if (typeof callbackUrl === 'string') headers.push('x-callback-url', callbackUrl);
  receiver?.expect(ownId);
  try {
    const { reply, target } = await invoker.enqueue(call, url, headers, context);
    if (reply.status !== 202) throw callError(reply, 'entry', target.place);
    return {
      callId: ownId,
      async result(resultContext) {
        if (receiver === undefined)
          throw config('keeps no results of queued calls: give it a CallbackReceiver');
        try {
          const answer = await receiver.wait(ownId, target.place, resultContext);
          return invoker.read(answer, call, target.place, startedMs);
        } catch (failure) {
          // It was queued: whoever stops waiting cannot say that it never ran.
          const isWait = FaasError.is(failure) && failure.status === undefined && failure.executed === 'no';
          throw isWait && failure.code !== 'CONFIG' ? failure.with({ executed: 'maybe' }) : failure;
        }
      },
    };
  } catch (failure) {
    receiver?.forget(ownId);
    throw failure;
  }
}
