/** Asynchronous calls over HTTP after they were accepted: state, result, cancellation, lists. */

import { encodeObjectWithBytes } from '../domain/byte-array-json.js';
import type { Executed } from '../domain/errors.js';
import { PlatformError } from '../domain/errors.js';
import { MAX_WAIT_SECS } from '../domain/limits.js';
import { type Invocation, isTerminal, STATUSES } from '../queue/invocation.js';
import type { InvocationQueue } from '../queue/invocation-queue.js';
import { figures, outcomeReply, wantsBinary } from './call-reply.js';
import { onCallerGone } from './calls-door.js';
import type { Exchange } from './door.js';
import { oneOf, pageLimit, wholeNumber } from './query.js';
import type { Reply } from './reply.js';

export async function describe(
  invocationId: string,
  query: URLSearchParams,
  { response }: Exchange,
  queue: InvocationQueue,
): Promise<Reply> {
  const waitSecs = wholeNumber(query, 'wait', 0, 0, MAX_WAIT_SECS);
  const invocation = await queue.waitForEnd(invocationId, waitSecs * 1000, (stop) =>
    onCallerGone(response, stop),
  );
  return recordReply(invocation);
}

export async function cancel(invocationId: string, queue: InvocationQueue): Promise<Reply> {
  return recordReply(await queue.cancel(invocationId));
}

export function list(query: URLSearchParams, queue: InvocationQueue): Reply {
  const functionId = query.get('function_id') ?? undefined;
  const status = oneOf(query, 'status', STATUSES);
  const { invocations, next } = queue.list({
    limit: pageLimit(query),
    after: wholeNumber(query, 'after', 0, 0, Number.MAX_SAFE_INTEGER),
    ...(functionId !== undefined && { functionId }),
    ...(status !== undefined && { status }),
  });
  const body = { invocations: invocations.map(toFields), ...(next !== undefined && { next: String(next) }) };
  return { status: 200, body };
}

/** The result alone, as bytes unless the client asks for JSON. */
export function result(invocationId: string, { request }: Exchange, queue: InvocationQueue): Reply {
  const { status, outcome, jobId } = queue.describe(invocationId);
  if (!isTerminal(status)) {
    throw new PlatformError('NOT_FINISHED', `Invocation ${invocationId} is ${status}.`, {
      executed: status === 'pending' ? 'no' : 'maybe',
      details: { status },
      retryAfterSecs: 1,
    });
  }
  if (outcome === undefined || !outcome.ok) {
    throw new PlatformError('NO_RESULT', `Invocation ${invocationId} ended as ${status} and has no result.`, {
      executed: outcome?.error.executed ?? 'maybe',
      details: { status },
    });
  }
  return outcomeReply(
    outcome,
    { callId: invocationId, jobId },
    { binary: wantsBinary(request, true), isReplay: false },
  );
}

function recordReply(invocation: Invocation): Reply {
  const fields = toFields(invocation);
  const { outcome } = invocation;
  const bytes = outcome?.ok ? outcome.reply.result : outcome?.error.result;
  return { status: 200, body: bytes === undefined ? fields : encodeObjectWithBytes(fields, 'result', bytes) };
}

function toFields(invocation: Invocation): object {
  const { outcome, startedAtMs, finishedAtMs } = invocation;
  return {
    invocation_id: invocation.invocationId,
    function_id: invocation.functionId,
    job_id: invocation.jobId,
    status: invocation.status,
    attempts: invocation.attempts,
    created_at: new Date(invocation.createdAtMs).toISOString(),
    ...(startedAtMs !== undefined && { started_at: new Date(startedAtMs).toISOString() }),
    ...(finishedAtMs !== undefined && { finished_at: new Date(finishedAtMs).toISOString() }),
    ...(outcome?.ok && figures(outcome.reply)),
    ...(outcome?.ok === false && {
      error: outcome.error.message,
      code: outcome.error.code,
      details: outcome.error.details,
    }),
    executed: executedOf(invocation),
  };
}

function executedOf({ status, attempts, outcome }: Invocation): Executed {
  if (outcome !== undefined) {
    if (outcome.ok) return 'yes';
    // A platform that ended in the middle of an earlier run may have run it.
    return outcome.error.executed === 'no' && attempts > 1 ? 'maybe' : outcome.error.executed;
  }
  return status === 'pending' && attempts === 0 ? 'no' : 'maybe';
}
