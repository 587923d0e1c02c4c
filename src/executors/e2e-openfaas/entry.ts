/**
 * Runs inside a function: our HTTP entry behind of-watchdog (OpenFaaS), or as the handler that the Node.js template of
 * E2E and OpenFaaS calls.
 */
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { FaasError } from '../../core/errors.js';
import { type HttpEntry, httpEntry } from '../shared/entry/http-entry.js';
import type { CallRunner } from '../shared/entry/runner.js';
import { secondsOf } from './units.js';

export { resolveClaims } from '../shared/entry/claims.js';
export { executableRunner } from '../shared/entry/executable.js';
export { type CallRunner, jobsRunner } from '../shared/entry/runner.js';

/** Where of-watchdog looks for it, unless `http_port` says another. */
const DEFAULT_PORT = 3000;

/**
 * Serves calls on loopback, where a watchdog brings them, until SIGTERM; calls in flight are finished.
 * @param load makes the runner, once; what it throws answers every call, as a function that could not be started
 */
export function serveEntry(load: () => Promise<CallRunner>, env = process.env): Server {
  const entry = httpEntry(prepared(load, env));
  const server = createServer((incoming, outgoing) => {
    answer(entry, incoming).then(
      ({ status, headers, body }) => outgoing.writeHead(status, headers).end(body),
      // The caller went away before its request was complete: nothing ran.
      () => outgoing.destroy(),
    );
  });
  // Its one client is the watchdog, which keeps connections: one that closes under a call would look like a crash.
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  server.listen(Number(env['http_port'] ?? DEFAULT_PORT), '127.0.0.1');
  process.once('SIGTERM', () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
  return server;
}

async function answer(entry: HttpEntry, incoming: IncomingMessage) {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return entry({ headers: incoming.headers, body: Buffer.concat(chunks) });
}

/** What the template hands to a handler. */
export interface TemplateEvent {
  readonly body?: unknown;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface TemplateContext {
  status(code: number): TemplateContext;
  headers(values: Readonly<Record<string, string>>): TemplateContext;
  succeed(value: unknown): unknown;
}

/** `module.exports` of a `handler.js`. The function needs `RAW_BODY=true`, which deploys set. */
export function templateHandler(
  load: () => Promise<CallRunner>,
  env = process.env,
): (event: TemplateEvent, context: TemplateContext) => Promise<unknown> {
  const entry = httpEntry(prepared(load, env));
  return async ({ body, headers }, context) => {
    const bytes = bytesOf(body);
    const reply = bytes === undefined ? PARSED : await entry({ headers, body: bytes });
    return context.status(reply.status).headers(reply.headers).succeed(Buffer.from(reply.body));
  };
}

/** Undefined for a body that the template has parsed: its bytes are lost. */
function bytesOf(body: unknown): Uint8Array | undefined {
  if (body instanceof Uint8Array) return body;
  // What body-parser leaves of a request without a body.
  const isNone = body === undefined || body === null || body === '' || isEmptyObject(body);
  return isNone ? new Uint8Array(0) : undefined;
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

const PARSED = {
  status: 500,
  headers: { 'x-faas-entry': '1', 'content-type': 'application/json' },
  body: Buffer.from(
    JSON.stringify({
      error: 'The template parsed the body. Set RAW_BODY=true in the environment of the function.',
      code: 'CONFIG',
      executed: 'no',
    }),
  ),
};

/** Where OpenFaaS, and E2E's documents, put the files of secrets. */
const FOLDERS = ['/var/openfaas/secrets', '/var/secrets'];

/** Our platform names another one where it has no sandbox to put the files at those paths. */
function foldersIn({ FAAS_SECRETS_DIR: own }: NodeJS.ProcessEnv): readonly string[] {
  return own === undefined ? FOLDERS : [own, ...FOLDERS];
}

/** A job is told to stop this long before the watchdog gives up on it, so that it can still say why. */
const GRACE_MS = 250;

function prepared(load: () => Promise<CallRunner>, env: NodeJS.ProcessEnv): () => Promise<CallRunner> {
  const hostSecs = secondsOf(env['exec_timeout']) ?? Infinity;
  return async () => {
    await loadSecrets(env);
    const run = await load();
    if (hostSecs === Infinity) return run;
    return (call) => {
      const hostDeadline = Date.now() + hostSecs * 1000 - GRACE_MS;
      return run({ ...call, deadline: Math.min(call.deadline, hostDeadline) }, hostDeadline);
    };
  };
}

/**
 * Puts secrets into the environment, as `JOBFERRY_SECRETS` asks: `{"DB_PASSWORD":"db-password"}`.
 * @throws {FaasError} CONFIG that names the secret which is not there
 */
export async function loadSecrets(env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const folders = foldersIn(env);
  const wanted = JSON.parse(env['JOBFERRY_SECRETS'] ?? '{}') as Readonly<Record<string, string>>;
  for (const [variable, name] of Object.entries(wanted)) {
    const value = (await fileOf(name, folders)) ?? env[name.toUpperCase().replaceAll(/[-.]/g, '_')];
    if (value === undefined) {
      const message = `The secret ${name}, for ${variable}, is not there. Deploy the function again.`;
      throw new FaasError({ code: 'CONFIG', executed: 'no', message });
    }
    env[variable] = value;
  }
}

async function fileOf(name: string, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const text = await readFile(`${folder}/${name}`, 'utf8').catch(() => undefined);
    if (text !== undefined) return text;
  }
  return undefined;
}
