/** How OpenFaaS answers: plain text with a line end, empty bodies, and JSON where there is something to read. */

import type { PlatformError } from '../../domain/errors.js';
import type { Reply } from '../reply.js';

const NO_BYTES = new Uint8Array(0);
const TEXT = ['Content-Type', 'text/plain; charset=utf-8'];
const NOSNIFF = ['X-Content-Type-Options', 'nosniff'];

export function empty(status: number, headers: readonly string[] = []): Reply {
  return { status, body: NO_BYTES, rawHeaders: headers };
}

/** As Go's `http.Error` writes it. */
export function text(status: number, message: string, headers: readonly string[] = []): Reply {
  return { status, body: Buffer.from(`${message}\n`), rawHeaders: [...TEXT, ...NOSNIFF, ...headers] };
}

/** Without the line end, as the gateway writes its own. */
export function plain(status: number, message: string, headers: readonly string[] = []): Reply {
  return { status, body: Buffer.from(message), rawHeaders: [...TEXT, ...headers] };
}

export function json(value: unknown): Reply {
  const body = Buffer.from(JSON.stringify(value));
  return { status: 200, body, rawHeaders: ['Content-Type', 'application/json'] };
}

/** Marks what the platform answers in the place of a function. */
export function internal(part: 'proxy' | 'of-watchdog' | 'faas-middleware'): readonly string[] {
  return ['X-OpenFaaS-Internal', part];
}

/** Failures that no route tells in a way of its own. */
export function refusal(error: PlatformError): Reply {
  const retry = error.retryAfterSecs === undefined ? [] : ['Retry-After', String(error.retryAfterSecs)];
  switch (error.code) {
    case 'UNAUTHORIZED':
      return plain(401, 'invalid credentials', ['Www-Authenticate', 'Basic realm="Restricted"']);
    case 'METHOD_NOT_ALLOWED':
      return empty(405);
    default:
      return text(error.status, error.message, retry);
  }
}

/** A call that did not come to an answer of the function's own. */
export function failedCall(error: PlatformError): Reply {
  const retry = error.retryAfterSecs === undefined ? [] : ['Retry-After', String(error.retryAfterSecs)];
  switch (error.code) {
    case 'TIMEOUT':
      return empty(504, internal('of-watchdog'));
    case 'THROTTLED':
      return text(429, error.message, [...internal('faas-middleware'), ...retry]);
    case 'FUNCTION_ERROR':
    case 'OUT_OF_MEMORY':
    case 'OUTPUT_TOO_LARGE':
      return text(500, error.message, internal('of-watchdog'));
    default:
      return text(error.status, error.message, [...internal('proxy'), ...retry]);
  }
}
