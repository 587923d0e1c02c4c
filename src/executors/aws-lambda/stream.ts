/** Calls whose result comes in pieces while the function still works. */
import { FaasError } from '../../core/errors.js';
import type { HttpStream } from '../shared/http-stream.js';
import type { Place } from '../shared/transport-error.js';
import { requestIdOf } from './errors.js';
import { readEvents, type StreamEvent } from './event-stream.js';
import { functionFailure } from './function-errors.js';

/**
 * The bytes of the function's result, as they come.
 * @throws {FaasError} what the function failed with, which AWS says at the end of the stream and after a 200
 */
export async function* streamResult(reply: HttpStream, place: Place): AsyncGenerator<Uint8Array> {
  const requestId = requestIdOf(reply.headers);
  let ended = false;
  for await (const event of events(reply, place)) {
    const type = event.headers[':event-type'];
    if (event.headers[':message-type'] === 'exception')
      throw failureOf(event, reply.status, requestId, place);
    if (type === 'PayloadChunk') yield event.payload;
    else if (type === 'InvokeComplete') {
      ended = true;
      const { ErrorCode, ErrorDetails } = fieldsOf(event);
      if (ErrorCode !== undefined) {
        const facts = { status: reply.status, requestId, report: undefined };
        throw functionFailure(payloadOf(ErrorCode, ErrorDetails), facts, place);
      }
    }
  }
  if (!ended) throw broken(place, reply.status, requestId, 'it ended without saying that the function did');
}

/** A frame that makes no sense is an answer that makes no sense; what the connection says stays as it is. */
async function* events({ body, status, headers }: HttpStream, place: Place): AsyncGenerator<StreamEvent> {
  try {
    yield* readEvents(body);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw broken(place, status, requestIdOf(headers), cause.message, cause);
  }
}

/** In the form of a function that failed at once: `{errorType, errorMessage}`, which ErrorDetails may hold. */
function payloadOf(code: unknown, details: unknown): Buffer {
  if (typeof details === 'string' && /^\s*\{/.test(details)) return Buffer.from(details);
  return Buffer.from(JSON.stringify({ errorType: String(code), errorMessage: String(details ?? code) }));
}

function failureOf(
  { headers, payload }: StreamEvent,
  status: number,
  requestId: string | undefined,
  place: Place,
) {
  const type = headers[':exception-type'] ?? 'an exception without a type';
  return broken(place, status, requestId, `AWS ended it with ${type} and ${payload.length} bytes`);
}

function fieldsOf({ payload }: StreamEvent): {
  readonly ErrorCode?: unknown;
  readonly ErrorDetails?: unknown;
} {
  try {
    return JSON.parse(Buffer.from(payload).toString('utf8')) ?? {};
  } catch {
    return {};
  }
}

function broken(
  { provider, functionName }: Place,
  status: number,
  requestId: string | undefined,
  why: string,
  cause?: unknown,
): FaasError {
  const message = `The stream of ${functionName} broke off on ${provider}: ${why.replace(/\.$/, '')}.`;
  return new FaasError({
    code: 'PROTOCOL',
    executed: 'yes',
    provider,
    functionName,
    status,
    requestId,
    message,
    cause,
  });
}
