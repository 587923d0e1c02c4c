/** Reads request bodies with a cap that holds while they arrive. */

import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';

import { PlatformError, systemCode } from '../domain/errors.js';
import { mediaTypeOf } from './call-request.js';

/** How long a client may go on sending a body nobody reads, so that it can see the answer. */
const DROP_PATIENCE_MS = 5000;

/**
 * Refuses another media type than the expected ones.
 * @throws PlatformError UNSUPPORTED_MEDIA_TYPE
 */
export function requireMediaType(request: IncomingMessage, types: readonly string[]): void {
  if (types.includes(mediaTypeOf(request))) return;
  throw new PlatformError('UNSUPPORTED_MEDIA_TYPE', `The Content-Type must be ${types.join(' or ')}.`);
}

/** A body must come at this rate once its first seconds are over; who is slower is cut. */
const MIN_BYTES_PER_MS = 10;
const SLOW_START_MS = 10_000;
const PACE_CHECK_MS = 1000;

/** @throws PlatformError PAYLOAD_TOO_LARGE, INVALID_REQUEST when the client goes away */
export async function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  maxBytes: number,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of chunksOf(request, response, maxBytes)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export interface SavedBody {
  readonly bytes: number;
  readonly sha256: string;
}

/** Writes the body to a new file, with its hash. The file may be half there after a failure. */
export async function saveBody(
  request: IncomingMessage,
  response: ServerResponse,
  file: string,
  maxBytes: number,
): Promise<SavedBody> {
  const hash = createHash('sha256');
  const handle = await open(file, 'wx', 0o600);
  let bytes = 0;
  try {
    for await (const chunk of chunksOf(request, response, maxBytes)) {
      hash.update(chunk);
      bytes += chunk.length;
      for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at)).bytesWritten;
    }
  } finally {
    await handle.close();
  }
  return { bytes, sha256: hash.digest('hex') };
}

async function* chunksOf(
  request: IncomingMessage,
  response: ServerResponse,
  maxBytes: number,
): AsyncGenerator<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > maxBytes) throw tooLarge(maxBytes);
  if (request.headers.expect !== undefined) response.writeContinue();
  let bytes = 0;
  const begunAt = performance.now();
  const pace = setInterval(() => {
    const allowedMs = SLOW_START_MS + bytes / MIN_BYTES_PER_MS;
    if (performance.now() - begunAt > allowedMs) request.destroy();
  }, PACE_CHECK_MS);
  try {
    // The socket must live on for the answer when reading stops early.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLarge(maxBytes);
      yield chunk;
    }
  } catch (error) {
    // Node's own word for a connection that ended, also when it ended behind a complete body.
    const isCut = request.destroyed || systemCode(error) === 'ECONNRESET';
    if (error instanceof PlatformError || !isCut) throw error;
    throw new PlatformError('INVALID_REQUEST', 'The request ended before its body was complete.', {
      cause: error,
    });
  } finally {
    clearInterval(pace);
  }
}

/** Lets the client finish sending what is not wanted, for a while; cutting it at once could destroy the answer. */
export function dropRestOfBody(request: IncomingMessage): void {
  if (request.complete) return;
  const timer = setTimeout(() => request.socket.destroy(), DROP_PATIENCE_MS);
  timer.unref();
  request.once('close', () => clearTimeout(timer));
  request.resume();
}

function tooLarge(maxBytes: number): PlatformError {
  return new PlatformError('PAYLOAD_TOO_LARGE', `The body is larger than ${maxBytes} bytes.`, {
    details: { limit: maxBytes },
  });
}
