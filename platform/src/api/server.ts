/** The HTTP server: bare node:http with short patience for slow clients and a JSON answer for everything. */

import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

import { type Guard, passwordAsKey } from '../auth/key-guard.js';
import type { KeyRight } from '../auth/keys.js';
import { newRequestId } from '../calls.js';
import { messageOf, PlatformError, systemCode } from '../domain/errors.js';
import type { Log } from '../domain/log.js';
import { dropRestOfBody } from './body.js';
import { type DoorParts, specDoor } from './door.js';
import { type Door, type Doors, doorAt, type Visit } from './doors.js';
import { e2eDoor } from './e2e/door.js';
import { checkHostHeader, isLoopback } from './host-check.js';
import { openFaasDoor } from './openfaas/door.js';
import { refuseForeignPage } from './origin-check.js';
import { commonHeaders, errorReply, type Reply, sendReply } from './reply.js';

/** How long answers that are ready may take to leave when the server closes. */
const FLUSH_PATIENCE_MS = 1000;

export interface HttpServer {
  readonly port: number;
  /** Takes no new connection. */
  stopAccepting(): void;
  /** Ends when every request is answered or cut. */
  close(): Promise<void>;
}

/** @throws Error naming the address when it cannot be had */
export async function startServer(
  host: string,
  port: number,
  parts: DoorParts,
  log: Log,
): Promise<HttpServer> {
  const working = new Set<Promise<void>>();
  const openfaas = openFaasDoor(parts);
  const doors: Doors = {
    spec: specDoor(parts),
    others: {
      faas: e2eDoor(parts),
      healthz: openfaas,
      system: openfaas,
      function: openfaas,
      'async-function': openfaas,
    },
  };
  const server = createServer({
    maxHeaderSize: 16 * 1024,
    headersTimeout: 10_000,
    // Room for a 50 MiB upload over a slow line.
    requestTimeout: 300_000,
    connectionsCheckingInterval: 2000,
    keepAliveTimeout: 5000,
    // Ours does more, and lets nothing of the same connection pass behind a refusal.
    requireHostHeader: false,
  });
  const refused = new WeakSet<Socket>();
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    // What was sent behind a request whose Host is wrong is not looked at; the connection ends.
    if (refused.has(request.socket)) return;
    let checkedHost: string | PlatformError;
    try {
      checkedHost = checkHostHeader(request.rawHeaders, !isLoopback(host));
    } catch (error) {
      if (!(error instanceof PlatformError)) return failUnsent(response, error, log);
      checkedHost = error;
      refused.add(request.socket);
    }
    const work = handle(request, response, checkedHost, { server, doors, parts, log })
      .catch((error) => failUnsent(response, error, log))
      .finally(() => working.delete(work));
    working.add(work);
  };
  server.on('request', serve);
  // Node would ask for the body at once; we ask only after the route, the name and the headers are found good.
  server.on('checkContinue', serve);
  server.on('checkExpectation', serve);
  server.on('clientError', refuseMalformed);
  await listen(server, host, port);
  const closed = new Promise<void>((resolve) => server.once('close', () => resolve()));
  return {
    port: (server.address() as AddressInfo).port,
    stopAccepting: () => server.close(),
    async close() {
      server.close();
      const timer = setTimeout(() => server.closeAllConnections(), FLUSH_PATIENCE_MS);
      await closed;
      clearTimeout(timer);
      await Promise.allSettled(working);
    },
  };
}

interface Serving {
  readonly server: Server;
  readonly doors: Doors;
  readonly parts: DoorParts;
  readonly log: Log;
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  host: string | PlatformError,
  { server, doors, parts, log }: Serving,
): Promise<void> {
  const door = doorAt(request.url ?? '', doors);
  const requestId = newRequestId();
  response.on('error', () => {});
  let reply: Reply;
  try {
    if (host instanceof PlatformError) throw host;
    const visit = openOrFailure(door, request);
    const rights = visit instanceof PlatformError ? [] : visit.rights;
    if (rights !== 'anyone') await admit(request.headers.authorization, rights, door, parts.guard);
    if (visit instanceof PlatformError) throw visit;
    // Where a browser could get in without its user: without a key, or with one that it sends by itself.
    const isOpen = !parts.guard.needsKey || (door.takesPasswords && rights !== 'anyone');
    if (door !== doors.spec && isOpen) refuseForeignPage(request.headers, host);
    const baseUrl = parts.publicUrl ?? `http://${host}`;
    reply = await visit.answer({ request, response, requestId, host, baseUrl });
  } catch (error) {
    reply = door.refuse(toPlatformError(error, requestId, log));
  }
  // A client that was not told to continue will not send its body, and the next request would be taken for it.
  const unread = request.headers.expect !== undefined && !request.complete;
  if (unread || host instanceof PlatformError || !server.listening) response.setHeader('Connection', 'close');
  const sent = sendReply(response, requestId, reply);
  dropRestOfBody(request);
  await sent;
}

/** The answer could not be written: no request may end the platform, nor wait for ever. */
function failUnsent(response: ServerResponse, error: unknown, log: Log): void {
  const requestId = newRequestId();
  const failure = toPlatformError(error, requestId, log);
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  response.setHeader('Connection', 'close');
  sendReply(response, requestId, errorReply(failure)).catch(() => response.destroy());
}

async function admit(
  authorization: string | undefined,
  rights: readonly KeyRight[],
  { takesPasswords }: Door,
  guard: Guard,
): Promise<void> {
  await guard.admit(takesPasswords ? passwordAsKey(authorization) : authorization, rights);
}

/** Who has no key does not learn either which routes there are. */
function openOrFailure(door: Door, request: IncomingMessage): Visit | PlatformError {
  try {
    return door.open(request.method ?? '', request.url ?? '');
  } catch (error) {
    if (error instanceof PlatformError) return error;
    throw error;
  }
}

function toPlatformError(error: unknown, requestId: string, log: Log): PlatformError {
  if (error instanceof PlatformError) return error;
  log('error', 'request-failed', {
    requestId,
    error: messageOf(error),
    stack: error instanceof Error ? error.stack : undefined,
  });
  return new PlatformError(
    'INFRASTRUCTURE_ERROR',
    `The platform failed. Its log has the reason under request ${requestId}.`,
    {
      executed: 'maybe',
      cause: error,
    },
  );
}

/** What is not HTTP gets a short answer where there is still somebody to read it, and the connection ends. */
function refuseMalformed(error: Error, socket: Socket): void {
  if (!socket.writable || systemCode(error) === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const status = malformedStatus(systemCode(error));
  const body = JSON.stringify({
    error: `${STATUS_CODES[status]}.`,
    code: 'INVALID_REQUEST',
    details: {},
    executed: 'no',
  });
  const headers = Object.entries({
    ...commonHeaders(newRequestId()),
    Connection: 'close',
    'Content-Length': String(Buffer.byteLength(body)),
  });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

function malformedStatus(code: string | undefined): number {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return 431;
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return 413;
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 408;
    default:
      return 400;
  }
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(explain(error, host, port)));
    server.listen(port, host, resolve);
  });
  server.on('error', () => {});
}

function explain(error: Error, host: string, port: number): Error {
  switch (systemCode(error)) {
    case 'EADDRINUSE':
      return new Error(
        `Port ${port} on ${host} is in use. Stop what listens there, or choose another port (0 takes any free one).`,
        {
          cause: error,
        },
      );
    case 'EACCES':
      return new Error(
        `Port ${port} on ${host} needs more rights than this process has. Choose a port above 1023.`,
        { cause: error },
      );
    default:
      return error;
  }
}
