/** Writes answers: always JSON, always with the request's id, never kept by a cache. */

import type { ServerResponse } from 'node:http';

import type { PlatformError } from '../domain/errors.js';

/** A client that stops reading its answer is cut after this. */
const WRITE_PATIENCE_MS = 30_000;

export interface Reply {
  readonly status: number;
  /** Text that is JSON already, or an object to be written as JSON. */
  readonly body: Buffer | object;
  readonly headers?: Readonly<Record<string, string>>;
}

export function sendReply(response: ServerResponse, requestId: string, reply: Reply): void {
  const body = Buffer.isBuffer(reply.body) ? reply.body : Buffer.from(JSON.stringify(reply.body));
  response.setTimeout(WRITE_PATIENCE_MS, () => response.destroy());
  response.writeHead(reply.status, {
    ...commonHeaders(requestId),
    ...reply.headers,
    'Content-Length': body.length,
  });
  response.end(body);
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
      ...(Array.isArray(allow) && { Allow: allow.join(', ') }),
    },
  };
}
