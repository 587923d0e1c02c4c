/** One HTTP request to an instance and what it answers: whole, or as it comes, but only what can be passed on. */

import {
  type Agent,
  request as httpRequest,
  type IncomingMessage,
  validateHeaderName,
  validateHeaderValue,
} from 'node:http';

import { messageOf, PlatformError, systemCode } from '../domain/errors.js';
import {
  endToEnd,
  type RawHeaders,
  type WebReply,
  type WebRequest,
  type WebSink,
} from '../domain/web-call.js';
import { outputTooLarge } from './call-failures.js';

interface ExchangeOptions {
  readonly agent: Agent;
  readonly socketPath: string;
  readonly maxResultBytes: number;
  /** Breaks it off; its reason is what the exchange fails with. */
  readonly signal: AbortSignal;
  /** Told when the answer begins. */
  readonly onAnswer: () => void;
  readonly sink: WebSink | undefined;
}

/** @throws PlatformError FUNCTION_ERROR, OUTPUT_TOO_LARGE; Error of the connection */
export function exchange(
  { method, path, query, headers, body }: WebRequest,
  { agent, socketPath, maxResultBytes, signal, onAnswer, sink }: ExchangeOptions,
): Promise<WebReply> {
  const { promise, resolve, reject } = Promise.withResolvers<WebReply>();
  const outgoing = httpRequest({
    agent,
    socketPath,
    method,
    path: query === '' ? path : `${path}?${query}`,
    headers: [...headers, 'Content-Length', String(body.length)],
    signal,
  });
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  outgoing.on('error', (error) => {
    const isHttp = !systemCode(error)?.startsWith('HPE_');
    reject(isHttp ? error : unusable(`it is no HTTP (${error.message})`));
  });
  // Node would close the connection and say nothing.
  outgoing.on('upgrade', ({ statusCode = 101 }, socket) => {
    reject(unusable(`the status ${statusCode} is no answer`));
    socket.destroy();
  });
  outgoing.on('response', (response: IncomingMessage) => {
    const { statusCode: status = 200, rawHeaders } = response;
    const kept = endToEnd(rawHeaders, ['content-length', 'date']);
    response.on('error', reject);
    onAnswer();
    if (signal.aborted) return;
    const flaw = flawOf(status, kept);
    if (flaw !== undefined) {
      reject(unusable(flaw));
      outgoing.destroy();
      return;
    }
    if (sink !== undefined) {
      const head = { status, headers: kept };
      sink(head, response).then(() => resolve({ ...head, body: new Uint8Array(0) }), reject);
      return;
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes > maxResultBytes) outgoing.destroy(outputTooLarge(maxResultBytes));
    });
    response.on('end', () => resolve({ status, headers: kept, body: Buffer.concat(chunks) }));
  });
  outgoing.end(body);
  return promise;
}

/** Node reads more than it writes: what it would refuse to write must not get as far as the caller's answer. */
function flawOf(status: number, headers: RawHeaders): string | undefined {
  // 1xx is no end of an exchange, and above 599 there is no meaning.
  if (status < 200 || status > 599) return `the status ${status} is no answer`;
  try {
    for (let at = 0; at < headers.length; at += 2) {
      const name = headers[at] ?? '';
      validateHeaderName(name);
      validateHeaderValue(name, headers[at + 1] ?? '');
    }
  } catch (error) {
    return messageOf(error);
  }
  return undefined;
}

function unusable(reason: string): PlatformError {
  return new PlatformError('FUNCTION_ERROR', `The function's answer cannot be passed on: ${reason}.`, {
    executed: 'yes',
    details: { reason },
  });
}
