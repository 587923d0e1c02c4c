/** Writes answers: with the request's id, never kept by a cache, and JSON unless it says otherwise. */

import type { ServerResponse } from 'node:http';

import type { PlatformError } from '../domain/errors.js';

/** A client that stops reading its answer is cut after this. */
const WRITE_PATIENCE_MS = 30_000;

export interface Reply {
  readonly status: number;
  /** Bytes as they are, or an object to be written as JSON. */
  readonly body: Uint8Array | object;
  readonly headers?: Readonly<Record<string, string>>;
  /** Stand in for all headers, the platform's own too: names and values in turn. */
  readonly rawHeaders?: readonly string[];
  /** Writes on after `body` until it resolves; the length of the answer is then not known before. */
  readonly more?: (response: ServerResponse) => Promise<void>;
}

/** Resolves when there is nothing more to write. */
export async function sendReply(response: ServerResponse, requestId: string, reply: Reply): Promise<void> {
  const body = reply.body instanceof Uint8Array ? reply.body : Buffer.from(JSON.stringify(reply.body));
  response.setTimeout(WRITE_PATIENCE_MS, () => response.destroy());
  const headers =
    reply.rawHeaders ?? Object.entries({ ...commonHeaders(requestId), ...reply.headers }).flat();
  if (reply.more === undefined || response.req.method === 'HEAD') {
    const length = reply.more === undefined ? ['Content-Length', String(body.length)] : [];
    response.writeHead(reply.status, [...headers, ...length]);
    response.end(body);
    return;
  }
  response.writeHead(reply.status, [...headers]);
  response.flushHeaders();
  if (body.length > 0) response.write(body);
  await reply.more(response);
  response.end();
}

export function commonHeaders(requestId: string): Record<string, string> {
  return {
    'Content-Type': 'application/json',
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'X-Faas-Request-Id': requestId,
  };
}

/** The answer to a failed request. `more` stands before the error's own fields. */
export function errorReply(error: PlatformError, more: object = {}): Reply {
  const { allow } = error.details;
  return {
    status: error.status,
    body: {
      ...more,
      error: error.message,
      code: error.code,
      details: error.details,
      executed: error.executed,
    },
    headers: {
      ...(error.retryAfterSecs !== undefined && { 'Retry-After': String(error.retryAfterSecs) }),
      ...(error.code === 'UNAUTHORIZED' && { 'WWW-Authenticate': 'Bearer' }),
      ...(Array.isArray(allow) && { Allow: allow.join(', ') }),
    },
  };
}
