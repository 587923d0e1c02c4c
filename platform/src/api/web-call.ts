/** One request to a web function: from the wire to the engine and back, the same for every door. */

import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { PlatformError } from '../domain/errors.js';
import {
  endToEnd,
  headerOf,
  type RawHeaders,
  replyOf,
  requestMetadata,
  type WebReply,
  type WebSink,
} from '../domain/web-call.js';
import type { WebFunction } from '../domain/web-function.js';
import { readBody } from './body.js';
import { onCallerGone } from './calls-door.js';
import type { DoorParts, Exchange } from './door.js';
import type { Reply } from './reply.js';

/** What a function may be asked with. */
export const WEB_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
/** Whoever accepts these wants to see each piece when it comes. */
const STREAMED = /text\/event-stream|application\/x-ndjson/i;
const NO_BYTES = new Uint8Array(0);
const CALL_ID = /^[A-Za-z0-9._:-]{1,128}$/;
const MAX_BUDGET_MS = 2 ** 31 - 1;

export interface ReadWebCall {
  readonly callId: string;
  /** Did the caller name it? Then the answer does not repeat it. */
  readonly isNamed: boolean;
  /** In nanoseconds since 1970, as OpenFaaS writes it. */
  readonly startTime: string;
  readonly args: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
  readonly budgetMs: number | undefined;
}

/**
 * @param path of the function's own, with its slash
 * @throws PlatformError PAYLOAD_TOO_LARGE, INVALID_REQUEST
 */
export async function readWebCall(
  path: string,
  query: string,
  { request, response, requestId, host }: Exchange,
  parts: DoorParts,
): Promise<ReadWebCall> {
  const { rawHeaders, method = 'GET', socket } = request;
  const args = await readBody(request, response, parts.engine.limits.maxArgsBytes);
  const given = headerOf(rawHeaders, 'x-call-id');
  const isNamed = given !== undefined && CALL_ID.test(given);
  const callId = isNamed ? given : requestId;
  const startTime = `${BigInt(Date.now()) * 1_000_000n}`;
  const own: [string, string][] = [
    ['X-Call-Id', callId],
    ['X-Start-Time', startTime],
    ['X-Forwarded-Host', host],
    ['X-Forwarded-For', `${socket.remoteAddress ?? ''}:${socket.remotePort ?? ''}`],
  ];
  const kept = endToEnd(rawHeaders, ['content-length', 'expect', 'x-call-id', ...platformKeyIn(rawHeaders)]);
  const headers = [
    ...kept,
    ...own.filter(([name]) => headerOf(kept, name.toLowerCase()) === undefined).flat(),
  ];
  return {
    callId,
    isNamed,
    startTime,
    args,
    metadata: requestMetadata({ method, path, query, headers }),
    budgetMs: budgetOf(headerOf(rawHeaders, 'x-faas-timeout-ms')),
  };
}

/**
 * The function's own answer, with what a gateway adds: whole, or as it comes for who asks for a stream.
 * @throws PlatformError; what the function itself answers, whatever its status, is no failure
 */
export async function askFunction(
  fn: WebFunction,
  call: ReadWebCall,
  { request, response, requestId }: Exchange,
  { engine }: DoorParts,
): Promise<Reply> {
  const { callId, args, metadata, budgetMs } = call;
  const begunAt = performance.now();
  const head = Promise.withResolvers<Reply>();
  const sink: WebSink = async (answer, body) => {
    const passed = Promise.withResolvers<void>();
    const more = (to: ServerResponse): Promise<void> => passOn(body, to).then(passed.resolve, passed.reject);
    head.resolve({ ...webReply({ ...answer, body: NO_BYTES }, call, performance.now() - begunAt), more });
    await passed.promise;
  };
  const whole = engine.calls.run({
    functionId: fn.id,
    requestId,
    budgetMs,
    begin: () => ({ jobId: 0, args, callId, attempt: 1, metadata }),
    onCancel: (cancel) => onCallerGone(response, () => cancel()),
    ...(request.method !== 'HEAD' && STREAMED.test(request.headers.accept ?? '') && { sink }),
  });
  whole.then(
    (reply) => head.resolve(webReply(replyOf(reply), call, performance.now() - begunAt)),
    head.reject,
  );
  return head.promise;
}

function webReply({ status, headers, body }: WebReply, call: ReadWebCall, durationMs: number): Reply {
  const added: [string, string][] = [
    ...(call.isNamed ? [] : [['X-Call-Id', call.callId] as [string, string]]),
    ['X-Start-Time', call.startTime],
    ['X-Duration-Seconds', (durationMs / 1000).toFixed(6)],
  ];
  const names = added.map(([name]) => name.toLowerCase());
  return { status, body, rawHeaders: [...endToEnd(headers, names), ...added.flat()] };
}

/** What breaks off on one side is broken off on the other: there is no other way to tell any more. */
async function passOn(body: Readable, response: ServerResponse): Promise<void> {
  // Streams may be silent for long; the time of the call ends them.
  response.setTimeout(0);
  try {
    await pipeline(body, response, { end: false });
  } catch (error) {
    response.destroy();
    throw error;
  }
}

/** A key of this platform is meant for the platform; any other authorization is the function's business. */
function platformKeyIn(headers: RawHeaders): string[] {
  const authorization = headerOf(headers, 'authorization') ?? '';
  const isKey = /^Bearer +faas_/i.test(authorization);
  const isPassword =
    /^Basic /i.test(authorization) &&
    /:faas_/.test(Buffer.from(authorization.slice(6), 'base64').toString('utf8'));
  return isKey || isPassword ? ['authorization'] : [];
}

function budgetOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,15}$/.test(text))
    throw new PlatformError('INVALID_REQUEST', 'X-Faas-Timeout-Ms must be a whole number of milliseconds.');
  return Math.min(Number(text), MAX_BUDGET_MS);
}
