/** One HTTP request whose reply is read while it comes, such as a log that is followed. */
import type { Dispatcher } from 'undici';
import type { HttpReply, HttpRequest } from './http.js';
import { type HttpFailure, type Place, transportError } from './transport-error.js';

export interface HttpStream {
  readonly status: number;
  readonly headers: HttpReply['headers'];
  /** Throws a FaasError when the connection breaks; leaving the loop closes it. */
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * Sends a request and resolves when the head of the reply is there, whatever its status.
 * @param silenceTimeoutMs the longest the server may say nothing
 * @throws {FaasError} when there is no reply; `place` is for its text.
 */
export async function openStream(
  dispatcher: Dispatcher,
  { origin, method, path, headers, body }: Omit<HttpRequest, 'maxReplyBytes'>,
  place: Place,
  signal: AbortSignal,
  silenceTimeoutMs: number,
): Promise<HttpStream> {
  const timeouts = { headersTimeout: silenceTimeoutMs, bodyTimeout: silenceTimeoutMs };
  try {
    const request = { origin, method, path, headers, body: body ?? null, signal, ...timeouts };
    const reply = await dispatcher.request(request);
    const { statusCode: status } = reply;
    return { status, headers: reply.headers, body: read(reply.body, status, place, signal) };
  } catch (cause) {
    throw broken({ phase: 'sent', status: undefined, cause }, place, signal);
  }
}

async function* read(
  body: AsyncIterable<Uint8Array>,
  status: number,
  place: Place,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (cause) {
    throw broken({ phase: 'replying', status, cause }, place, signal);
  }
}

function broken(failure: Omit<HttpFailure, 'kind'>, place: Place, signal: AbortSignal) {
  if (!signal.aborted) return transportError({ kind: 'transport', ...failure }, place);
  return transportError({ kind: 'cancelled', ...failure, cause: signal.reason }, place);
}
