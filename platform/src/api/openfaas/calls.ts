/** `/function/…` and `/async-function/…`: calls that are waited for, and calls that are asked about later. */

import type { IncomingMessage } from 'node:http';

import { PlatformError } from '../../domain/errors.js';
import { parseGoDuration } from '../../domain/go-values.js';
import { contentOf } from '../../domain/outcome.js';
import { replyOf } from '../../domain/web-call.js';
import { callIdOf, statusOf } from '../../queue/callbacks.js';
import { type Invocation, isTerminal } from '../../queue/invocation.js';
import type { DoorParts, Exchange } from '../door.js';
import type { Reply } from '../reply.js';
import { askFunction, type ReadWebCall, readWebCall } from '../web-call.js';
import { empty, failedCall, json, plain, text } from './replies.js';
import { type OpenFaasRoute, splitTarget } from './routes.js';

type CallRoute = Extract<OpenFaasRoute, { readonly action: 'invoke' | 'async-invoke' }>;

export async function invoke(route: CallRoute, exchange: Exchange, parts: DoorParts): Promise<Reply> {
  parts.engine.refuseWhenClosing();
  const { name, namespace } = splitTarget(route.target, parts.openfaas.namespace);
  const fn = parts.web.find(namespace, name);
  if (fn === undefined) return notFound(name, namespace);
  try {
    const call = await readWebCall(route.path, route.rawQuery, exchange, parts);
    const budgetMs = shorter(call.budgetMs, timeoutIn(exchange.request));
    return await askFunction(fn, { ...call, budgetMs }, exchange, parts);
  } catch (error) {
    if (error instanceof PlatformError) return failedCall(error);
    throw error;
  }
}

/** 202 once the call is on disk. */
export async function accept(route: CallRoute, exchange: Exchange, parts: DoorParts): Promise<Reply> {
  const { name, namespace } = splitTarget(route.target, parts.openfaas.namespace);
  const fn = parts.web.find(namespace, name);
  if (fn === undefined && !parts.openfaas.acceptUnknownAsync) return notFound(name, namespace);
  const { callbacks, queue } = parts;
  const callbackUrl = exchange.request.headers['x-callback-url'];
  if (typeof callbackUrl === 'string') callbacks.check(callbackUrl);
  const call = await readWebCall(route.path, route.rawQuery, exchange, parts);
  const { callId, isNamed, args, metadata, budgetMs } = call;
  const { requestId: invocationId } = exchange;
  // What no function has as its id ends as failed, since it is not there.
  const functionId = fn?.id ?? `${name}.${namespace}`;
  await queue.accept({
    invocationId,
    // Functions that call others pass theirs on, so one id may name many calls.
    ...(isNamed && { callId }),
    functionId,
    jobId: 0,
    args,
    content: contentOf(functionId, 0, args),
    idempotencyKey: undefined,
    metadata,
    attempt: 1,
    budgetMs,
    ...(typeof callbackUrl === 'string' && {
      alsoWrite: () => callbacks.register(invocationId, callbackUrl),
    }),
  });
  return empty(202, acceptedHeaders(call, invocationId));
}

/** What OpenFaaS has no answer to: how an asynchronous call stands. */
export function status(callId: string, parts: DoorParts): Reply {
  const invocation = parts.queue.findCall(callId);
  if (invocation === undefined) return text(404, `there is no call ${callId.slice(0, 128)}, or not any more`);
  const { outcome, startedAtMs, finishedAtMs, createdAtMs } = invocation;
  return json({
    call_id: callIdOf(invocation),
    invocation_id: invocation.invocationId,
    function: nameOf(invocation, parts),
    status: invocation.status,
    attempts: invocation.attempts,
    created_at: new Date(createdAtMs).toISOString(),
    ...(startedAtMs !== undefined && { started_at: new Date(startedAtMs).toISOString() }),
    ...(finishedAtMs !== undefined && { finished_at: new Date(finishedAtMs).toISOString() }),
    ...(isTerminal(invocation.status) && { function_status: statusOf(invocation) }),
    ...(outcome?.ok === false && { error: outcome.error.message, code: outcome.error.code }),
  });
}

/** The function's answer, as its caller would have got it. */
export function result(callId: string, parts: DoorParts): Reply {
  const invocation = parts.queue.findCall(callId);
  if (invocation === undefined) return text(404, `there is no call ${callId.slice(0, 128)}, or not any more`);
  if (!isTerminal(invocation.status))
    return text(409, `the call is ${invocation.status}`, ['Retry-After', '1']);
  const { outcome } = invocation;
  if (outcome === undefined) return text(409, `the call ended as ${invocation.status} and has no answer`);
  if (!outcome.ok) return failedCall(outcome.error);
  const { status: code, headers, body } = replyOf(outcome.reply);
  return { status: code, body, rawHeaders: [...headers, 'X-Call-Id', callIdOf(invocation)] };
}

export async function cancel(callId: string, parts: DoorParts): Promise<Reply> {
  const invocation = parts.queue.findCall(callId);
  if (invocation === undefined) return empty(404);
  await parts.queue.cancel(invocation.invocationId);
  return empty(202);
}

function nameOf({ functionId }: Invocation, { web }: DoorParts): string {
  const fn = web.get(functionId);
  return fn === undefined ? functionId : `${fn.name}.${fn.namespace}`;
}

/** A call id of the caller's own is not told back, and may name other calls too. */
function acceptedHeaders({ callId, isNamed, startTime }: ReadWebCall, invocationId: string): string[] {
  const id = isNamed ? ['X-Faas-Invocation-Id', invocationId] : ['X-Call-Id', callId];
  return [...id, 'X-Start-Time', startTime];
}

/** In the words of the gateway. */
function notFound(name: string, namespace: string): Reply {
  const said = `server returned non-200 status code (404) for function, ${name}, body: `;
  return plain(404, `error finding function ${name}.${namespace}: ${said}`);
}

/** `X-Timeout` may shorten the time of a call; what it says otherwise counts for nothing. */
function timeoutIn({ headers }: IncomingMessage): number | undefined {
  const text = headers['x-timeout'];
  return typeof text === 'string' && /[a-z]$/.test(text) ? parseGoDuration(text) : undefined;
}

function shorter(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Math.min(one, other);
}
