/**
 * Runs inside Azure, as a custom handler: the Functions host starts it and forwards requests to the port it names. In
 * this form a package needs nothing from npm beside it, and the same entry serves handlers and executables.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type HttpEntry, httpEntry } from '../shared/entry/http-entry.js';
import type { CallRunner } from '../shared/entry/runner.js';

export { resolveClaims } from '../shared/entry/claims.js';
export { executableRunner } from '../shared/entry/executable.js';
export { type CallRunner, jobsRunner } from '../shared/entry/runner.js';

/** The host keeps its connections to the handler: the end of an idle one must not meet a call. */
const KEEP_ALIVE_MS = 600_000;

/**
 * Listens where the host expects it to (FUNCTIONS_CUSTOMHANDLER_PORT).
 * @param load makes the runner, once; what it throws answers every call, as a function that could not be started
 */
export function serveHost(
  load: () => Promise<CallRunner>,
  port = Number(process.env['FUNCTIONS_CUSTOMHANDLER_PORT'] ?? 8080),
): Promise<Server> {
  const entry = httpEntry(load);
  const server = createServer((request, response) => void answer(entry, request, response));
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  // Azure's front end has the time limits.
  server.requestTimeout = 0;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

async function answer(entry: HttpEntry, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    return; // it broke off before it was complete: nothing runs
  }
  const { status, headers, body } = await entry({ headers: request.headers, body: Buffer.concat(chunks) });
  response.writeHead(status, { ...headers, 'content-length': body.length }).end(body);
}
