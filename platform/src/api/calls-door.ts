/** Calls over HTTP: as JSON or as bytes, answered when they have ended or as soon as they are on disk. */

import type { IncomingMessage, ServerResponse } from 'node:http';

import { PlatformError } from '../domain/errors.js';
import { contentOf, outcomeOf } from '../domain/outcome.js';
import { readBody, requireMediaType } from './body.js';
import { type AnsweredCall, failedCall, outcomeReply, wantsBinary } from './call-reply.js';
import {
  type CallHeaders,
  mediaTypeOf,
  parseCallBody,
  parseCallHeaders,
  requireJobId,
} from './call-request.js';
import type { DoorParts, Exchange } from './door.js';
import type { Reply } from './reply.js';

const BINARY = 'application/octet-stream';

/** @param pathJobId the job that the path names, on `/job/{n}` */
export async function invoke(
  functionId: string,
  pathJobId: number | undefined,
  exchange: Exchange,
  parts: DoorParts,
): Promise<Reply> {
  const { request, requestId } = exchange;
  const { engine, queue } = parts;
  let call: Partial<AnsweredCall> = {};
  try {
    engine.refuseWhenClosing();
    const headers = parseCallHeaders(request.headers);
    const callId = headers.callId ?? requestId;
    call = { callId };
    // What was accepted can be asked for again, even when its function is gone.
    const isKnown = headers.isAsync && queue.find(callId) !== undefined;
    if (!isKnown) engine.describe(functionId);
    // A page on another site can make a browser post text or forms to us, but not these types.
    requireMediaType(request, ['application/json', BINARY]);
    const { jobId, args } = await readCall(pathJobId, exchange, parts);
    call = { callId, jobId };
    const asked = { functionId, jobId, args, callId, headers };
    return headers.isAsync ? await accept(asked, exchange, parts) : await run(asked, exchange, parts);
  } catch (error) {
    if (error instanceof PlatformError) return failedCall(error, call);
    throw error;
  }
}

interface AskedCall {
  readonly functionId: string;
  readonly jobId: number;
  readonly args: Uint8Array;
  readonly callId: string;
  readonly headers: CallHeaders;
}

async function run(asked: AskedCall, exchange: Exchange, parts: DoorParts): Promise<Reply> {
  const { functionId, jobId, args, callId, headers } = asked;
  const { request, response, requestId } = exchange;
  const call = { jobId, args, callId, attempt: headers.attempt, metadata: headers.metadata };
  const execute = () =>
    parts.engine.calls.run({
      functionId,
      requestId,
      budgetMs: headers.budgetMs,
      begin: () => call,
      onCancel: (cancel) => onCallerGone(response, () => cancel()),
    });
  const { idempotencyKey: key } = headers;
  const { outcome, isReplay } =
    key === undefined
      ? { outcome: await outcomeOf(execute()), isReplay: false }
      : await parts.idempotency.run(
          { functionId, key, content: contentOf(functionId, jobId, args) },
          execute,
        );
  return outcomeReply(outcome, { callId, jobId }, { binary: wantsBinary(request), isReplay });
}

/** 202, unless the key has an outcome already: then that is the answer, whatever was preferred. */
async function accept(asked: AskedCall, exchange: Exchange, parts: DoorParts): Promise<Reply> {
  const { functionId, jobId, args, callId, headers } = asked;
  const { idempotencyKey, attempt, metadata, budgetMs } = headers;
  const content = contentOf(functionId, jobId, args);
  if (callId === '.' || callId === '..')
    throw new PlatformError('INVALID_REQUEST', 'X-Faas-Call-Id must be usable in a URL; take another one.');
  const enqueue = () =>
    parts.queue.accept({
      invocationId: callId,
      functionId,
      jobId,
      args,
      content,
      idempotencyKey,
      metadata,
      attempt,
      budgetMs,
    });
  const taken =
    idempotencyKey === undefined
      ? { accepted: await enqueue() }
      : await parts.idempotency.accept({ functionId, key: idempotencyKey, content }, enqueue);
  if ('outcome' in taken) {
    const binary = wantsBinary(exchange.request);
    return outcomeReply(taken.outcome, { callId, jobId }, { binary, isReplay: true });
  }
  const { invocation, isNew } = taken.accepted;
  const statusUrl = `${exchange.baseUrl}/api/invocations/${invocation.invocationId}`;
  return {
    status: 202,
    body: {
      invocation_id: invocation.invocationId,
      function_id: invocation.functionId,
      job_id: invocation.jobId,
      status: invocation.status,
      status_url: statusUrl,
    },
    headers: {
      Location: statusUrl,
      'Preference-Applied': 'respond-async',
      ...(!isNew && { 'X-Faas-Replayed': 'true' }),
    },
  };
}

async function readCall(
  pathJobId: number | undefined,
  { request, response }: Exchange,
  { engine }: DoorParts,
): Promise<{ jobId: number; args: Uint8Array }> {
  const { maxArgsBytes, maxRequestBytes } = engine.limits;
  if (mediaTypeOf(request) !== BINARY)
    return parseCallBody(await readBody(request, response, maxRequestBytes), maxArgsBytes);
  const jobId = pathJobId ?? requireJobId(request.headers);
  return { jobId, args: await readBody(request, response, maxArgsBytes) };
}

/** Calls back when the connection ends before the answer has left. */
export function onCallerGone(response: ServerResponse<IncomingMessage>, listener: () => void): void {
  response.once('close', () => {
    if (!response.writableFinished) listener();
  });
  if (response.destroyed) listener();
}
