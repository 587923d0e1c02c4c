/** Small servers for the tests: a scripted HTTP server that records what it was asked, and calls to send to it. */
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { FaasError } from '../../src/core/errors.ts';
import type { JobCall, JobResult } from '../../src/core/job.ts';
import { callContext } from '../../src/core/scope.ts';
import { HttpFaasExecutor, type HttpFaasExecutorOptions } from '../../src/executors/custom-http/index.ts';

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Reply {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  /** An object is sent as JSON. */
  readonly body?: unknown;
}

export type Responder = (seen: Seen, response: http.ServerResponse) => Reply | undefined | Promise<Reply>;

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly requests: Seen[];
  /** Sockets that are open now. */
  readonly sockets: ReadonlySet<net.Socket>;
}

/**
 * Answers with what `respond` returns; when it returns nothing it has taken the response over. `GET /api` is the 404
 * of a platform of spec 1.0, and not recorded: what is asked there is the subject of other tests.
 */
export async function serve(respond: Responder, tls?: https.ServerOptions): Promise<TestServer> {
  const requests: Seen[] = [];
  const listener: http.RequestListener = async (request, response) => {
    const chunks: Buffer[] = [];
    request.on('error', () => {});
    response.on('error', () => {});
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = '', url = '', headers } = request;
    if (method === 'GET' && url.endsWith('/api')) return send(response, { status: 404 });
    const seen = { method, url, headers, body: Buffer.concat(chunks) };
    requests.push(seen);
    const reply = await respond(seen, response);
    if (reply !== undefined) send(response, reply);
  };
  const server = tls === undefined ? http.createServer(listener) : https.createServer(tls, listener);
  return started(server, requests, tls === undefined ? 'http' : 'https');
}

/** A server of raw sockets, for what no HTTP server would do. */
export async function serveRaw(onSocket: (socket: net.Socket) => void): Promise<TestServer> {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    onSocket(socket);
  });
  return started(server, [], 'http');
}

async function started(server: net.Server, requests: Seen[], scheme: string): Promise<TestServer> {
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket: net.Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${scheme}://127.0.0.1:${port}`,
    port,
    requests,
    sockets,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function send(response: http.ServerResponse, { status = 200, headers = {}, body = '' }: Reply): void {
  const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(text);
}

/** A success that carries `bytes`. */
export function ok(bytes: readonly number[] = [1, 2, 3], more: Record<string, unknown> = {}): Reply {
  return { body: { result: bytes, success: true, ...more } };
}

export function executorFor(
  server: Pick<TestServer, 'url'>,
  options: Partial<HttpFaasExecutorOptions> = {},
): HttpFaasExecutor {
  return new HttpFaasExecutor({ baseUrl: server.url, ...options });
}

export function jobCall(changes: Partial<JobCall> = {}): JobCall {
  return {
    jobId: 7,
    args: Uint8Array.of(112, 97, 121),
    callId: 'call-1',
    attempt: 1,
    deadline: Infinity,
    idempotent: false,
    metadata: {},
    ...changes,
  };
}

/** One call with a deadline, so that a broken test ends. */
export function call(executor: HttpFaasExecutor, changes: Partial<JobCall> = {}): Promise<JobResult> {
  const context = callContext({ timeoutMs: 20_000 });
  return executor.invoke(jobCall(changes), context).finally(() => context.disarm());
}

/** The FaasError of a promise that must fail. */
export async function failureOf(work: Promise<unknown>): Promise<FaasError> {
  const outcome = await work.then(
    () => 'success',
    (error: unknown) => error,
  );
  if (FaasError.is(outcome)) return outcome;
  throw new Error(`expected a FaasError, got ${String(outcome)}`, { cause: outcome });
}

/** Waits until `condition` holds. */
export async function until(condition: () => boolean, withinMs = 10_000): Promise<void> {
  const endsAt = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > endsAt) throw new Error('the condition did not come true in time');
    await pause(5);
  }
}

export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

export function cancelWith(code: 'CANCELLED' | 'TIMEOUT' = 'CANCELLED'): FaasError {
  return new FaasError({ code, executed: 'maybe', message: 'the test gave up' });
}
