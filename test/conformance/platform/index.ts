/** The model platform: in memory, real processes, correct but for the rules it is given. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { headerOf, retire } from './calls.js';
import { Door } from './door.js';
import { Refusal } from './refusal.js';
import { CORRECT, type Reply, type Request, type Rules } from './rules.js';

export interface ModelPlatform extends AsyncDisposable {
  readonly url: string;
}

const MAX_INVOKE = 26_000_000;
const MAX_ZIP = 52_428_800;

/** Starts on a free port. `defect` replaces what a correct platform does. */
export async function modelPlatform(defect: Partial<Rules> = {}): Promise<ModelPlatform> {
  const closing = new AbortController();
  const life = { closing: closing.signal, running: new Set<Promise<unknown>>() };
  const rules: Rules = { ...CORRECT, ...defect, life };
  const door = new Door(rules);
  const serve = (incoming: IncomingMessage, response: ServerResponse): void => {
    handle(incoming, response, door, rules).catch((error: unknown) => {
      // A fault of the model itself must not look like a verdict.
      console.error('model platform:', error);
      response.destroy();
    });
  };
  const server = createServer({ maxHeaderSize: 64 * 1024 }, serve);
  server.on('checkContinue', serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      closing.abort();
      await Promise.allSettled(life.running);
      for (const { version } of door.functions.values()) await retire(version);
    },
  };
}

async function handle(
  incoming: IncomingMessage,
  response: ServerResponse,
  door: Door,
  rules: Rules,
): Promise<void> {
  const gone = new AbortController();
  response.on('error', () => {});
  response.once('close', () => gone.abort());
  let request = requestOf(incoming, Buffer.alloc(0));
  let reply: Reply;
  try {
    checkEntry(request, rules);
    request = requestOf(incoming, await readBody(incoming, response));
    reply = rules.before(request) ?? (await door.answer(request, gone.signal));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    reply = refusalReply(error, request);
  }
  send(response, incoming, rules.after(reply, request), rules);
}

function requestOf(incoming: IncomingMessage, body: Buffer): Request {
  return { method: incoming.method ?? '', path: incoming.url ?? '', headers: incoming.headers, body };
}

function checkEntry(request: Request, rules: Rules): void {
  const host = headerOf(request, 'host') ?? '';
  if (rules.key === undefined) {
    if (rules.checksHost && !/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(host))
      throw new Refusal(403, 'FORBIDDEN', 'the Host header is foreign');
  } else if (headerOf(request, 'authorization') !== `Bearer ${rules.key}`) {
    throw new Refusal(401, 'UNAUTHORIZED', 'the key is missing or wrong', {
      headers: { 'www-authenticate': 'Bearer', connection: 'close' },
    });
  }
}

async function readBody(incoming: IncomingMessage, response: ServerResponse): Promise<Buffer> {
  const limit = incoming.method === 'PUT' ? MAX_ZIP : MAX_INVOKE;
  if (Number(incoming.headers['content-length'] ?? 0) > limit) {
    throw new Refusal(413, 'PAYLOAD_TOO_LARGE', `more than ${limit} bytes`, {
      headers: { connection: 'close' },
    });
  }
  if (incoming.headers.expect !== undefined) response.writeContinue();
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
  } catch {
    throw new Refusal(400, 'INVALID_REQUEST', 'the body ended early');
  }
  return Buffer.concat(chunks);
}

function refusalReply({ status, code, message, headers, executed }: Refusal, request: Request): Reply {
  const isCall = request.method === 'POST' && /^\/(job\/|.*\/invoke(\?|$))/.test(request.path);
  const call = isCall ? { result: [], success: false } : {};
  return { status, body: { ...call, error: message, code, details: {}, executed }, headers };
}

function send(response: ServerResponse, incoming: IncomingMessage, reply: Reply, rules: Rules): void {
  if (response.destroyed) return;
  const { status, body, headers = {}, follow } = reply;
  const isRaw = Buffer.isBuffer(body);
  const bytes = isRaw ? body : Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    'content-type': isRaw ? 'application/octet-stream' : 'application/json',
    ...(follow === undefined && { 'content-length': bytes.length }),
    ...(rules.features.includes('call-context') && { 'x-faas-request-id': randomUUID() }),
    ...headers,
  });
  if (incoming.method === 'HEAD') response.end();
  else if (follow === undefined) response.end(bytes);
  else {
    response.write(bytes.length > 0 ? bytes : '\n');
    const stop = follow((text) => response.write(text));
    response.once('close', stop);
  }
  incoming.resume();
}
