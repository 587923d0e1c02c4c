/** One request on a connection of its own. Paths go out as they are written: nothing normalises them on the way. */
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { check, isObject, Mismatch } from './expect.js';

export interface Ask {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Default 30 000. Longer than any case waits on purpose. */
  readonly timeoutMs?: number;
  /** Closes the connection, as a caller does who gives up. */
  readonly signal?: AbortSignal;
  /** Ends reading the body once this says so; for replies that never end. */
  readonly until?: (bodySoFar: string) => boolean;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly durationMs: number;
  /** The body as a JSON object; a mismatch when it is none. */
  json(): Record<string, unknown>;
}

/** The connection ended before there was a reply. */
export class NoReply extends Mismatch {
  readonly errorCode: string | undefined;

  constructor(method: string, path: string, error: Error & { code?: string }) {
    super(`a reply to ${method} ${path}`, `no reply: ${error.code ?? error.message}`);
    this.errorCode = error.code;
  }
}

export async function send(base: URL, method: string, path: string, ask: Ask = {}): Promise<Reply> {
  const { headers = {}, body, timeoutMs = 30_000, signal, until } = ask;
  const startedAt = performance.now();
  const patience = AbortSignal.timeout(timeoutMs);
  const request = base.protocol === 'https:' ? httpsRequest : httpRequest;
  const bytes = body === undefined ? undefined : Buffer.from(body);
  return await new Promise<Reply>((resolve, reject) => {
    const outgoing = request({
      protocol: base.protocol,
      hostname: base.hostname.replace(/^\[|\]$/g, ''),
      port: base.port,
      path: `${base.pathname.replace(/\/$/, '')}${path}`,
      method,
      agent: false,
      headers: { ...(bytes !== undefined && { 'content-length': String(bytes.length) }), ...headers },
      signal: signal === undefined ? patience : AbortSignal.any([signal, patience]),
    });
    outgoing.once('error', (error) => {
      const cause = patience.aborted ? new Error(`none within ${timeoutMs} ms`) : error;
      reject(new NoReply(method, path, cause));
    });
    outgoing.once('response', (incoming) => {
      collect(incoming, until).then(
        (received) => resolve(makeReply(incoming, received, performance.now() - startedAt)),
        (error: Error) => reject(new NoReply(method, path, error)),
      );
    });
    outgoing.end(bytes);
  });
}

async function collect(incoming: IncomingMessage, until: Ask['until']): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) {
    chunks.push(chunk as Buffer);
    if (until?.(Buffer.concat(chunks).toString('utf8'))) break;
  }
  return Buffer.concat(chunks);
}

function makeReply(incoming: IncomingMessage, body: Buffer, durationMs: number): Reply {
  const status = incoming.statusCode ?? 0;
  return {
    status,
    headers: incoming.headers,
    body,
    durationMs,
    json() {
      const text = body.toString('utf8');
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        throw new Mismatch('a JSON object', `${status} ${text.slice(0, 200)}`);
      }
      check(isObject(value), 'a JSON object', `${status} ${text.slice(0, 200)}`);
      return value;
    },
  };
}
