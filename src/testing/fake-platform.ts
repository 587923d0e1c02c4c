/** fakePlatform: a custom-FaaS platform in memory that does what the spec says, until a script says otherwise. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AnyJob } from '../core/define-job.js';
import { FAKE_FEATURES, type FakeFeature } from './fake-features.js';
import { type FakeFunction, FakeFunctions, type FakeReply, jobFunction } from './fake-functions.js';
import { FakeInvocations } from './fake-invocations.js';
import { FakeLogs } from './fake-logs.js';
import { type FakeWorld, route } from './fake-routes.js';

export type { FakeFeature, FakeFunction, FakeReply };

export interface FakeRequest {
  readonly method: string;
  /** Path and query as they arrived. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** What happens to a request instead of the usual. Each rule is used `times` times (default 1), in order. */
export interface ScriptedReply {
  /** Which requests the rule is for. Default: the next one, whatever it is. */
  readonly match?: (request: FakeRequest) => boolean;
  readonly times?: number;
  /** Wait before anything else. */
  readonly delayMs?: number;
  /** Do the usual work first (a function runs and is counted), whatever is answered then. Default false. */
  readonly run?: boolean;
  /** Answer this. Objects become JSON; strings and bytes go out as they are. */
  readonly respond?: FakeReply;
  /** Reset the connection. */
  readonly reset?: boolean;
  /** Never answer. */
  readonly hang?: boolean;
  /** Send so many bytes of the usual body under its full Content-Length, then end the connection. */
  readonly truncate?: number;
}

export interface FakePlatformOptions {
  /** Which version of the custom-FaaS spec to speak. Default `1.0`. */
  readonly spec?: '1.0' | '1.1';
  /** What of spec 1.1 to offer. Default: all of it. */
  readonly features?: readonly FakeFeature[];
  /** What the functions do, by name, once they are deployed. */
  readonly functions?: Readonly<Record<string, FakeFunction>>;
  /** The same for jobs: each becomes the function `job{id}`. */
  readonly jobs?: readonly AnyJob[];
  /** Have them all deployed from the start. Default false. */
  readonly deployed?: boolean;
  /** Refuse requests that do not carry `Authorization: Bearer` with this. */
  readonly bearer?: string;
  /** The largest `args` of a call. Default 6 MiB. */
  readonly maxArgsBytes?: number;
}

export interface FakePlatform {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  readonly port: number;
  /** Every request, in the order of arrival of its last byte. */
  readonly requests: readonly FakeRequest[];
  /** How often a function was started, by call id; calls without one count under `''`. */
  readonly executions: ReadonlyMap<string, number>;
  script(rules: readonly ScriptedReply[]): void;
  /** Breaks every connection that is open now. */
  dropConnections(): void;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts the platform on a free loopback port. */
export async function fakePlatform(options: FakePlatformOptions = {}): Promise<FakePlatform> {
  const functions = new FakeFunctions({
    handlers: { ...options.functions, ...Object.fromEntries((options.jobs ?? []).map(jobFunction)) },
    deployed: options.deployed ?? false,
    maxArgsBytes: options.maxArgsBytes ?? 6 * 1024 * 1024,
  });
  const { spec = '1.0', features = FAKE_FEATURES, bearer } = options;
  const world: FakeWorld = {
    spec,
    features: new Set(spec === '1.0' ? [] : features),
    bearer,
    functions,
    invocations: new FakeInvocations(),
    logs: new FakeLogs(),
    replays: new Map(),
  };
  const requests: FakeRequest[] = [];
  let rules: { rule: ScriptedReply; left: number }[] = [];

  const nextRule = (request: FakeRequest): ScriptedReply => {
    const found = rules.find(({ rule, left }) => left > 0 && (rule.match?.(request) ?? true));
    if (found === undefined) return {};
    found.left -= 1;
    return found.rule;
  };

  const answer = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const request = await readRequest(message);
    requests.push(request);
    const rule = nextRule(request);
    if (rule.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, rule.delayMs));
    const scripted = rule.respond !== undefined || rule.reset === true || rule.hang === true;
    const usual = scripted && rule.run !== true ? undefined : await route(request, world, gone.signal);
    if (rule.hang === true || response.destroyed) return;
    if (rule.reset === true) message.socket.resetAndDestroy();
    else if (usual?.stream !== undefined && rule.respond === undefined) await sendStream(response, usual);
    else send(response, message, rule.respond ?? usual ?? { status: 500 }, rule.truncate);
  };

  const server = createServer((message, response) => {
    answer(message, response).catch((error: unknown) => {
      // A bug in a test's own handler must not look like a platform that hangs.
      if (!message.complete) message.destroy();
      else send(response, message, { status: 500, body: `fakePlatform: ${String(error)}` });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
    return closing;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    executions: functions.executions,
    script: (added) => {
      rules = [...rules, ...added.map((rule) => ({ rule, left: rule.times ?? 1 }))];
    },
    dropConnections: () => server.closeAllConnections(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function sendStream(response: ServerResponse, { status, headers, stream }: FakeReply): Promise<void> {
  response.writeHead(status, headers);
  response.flushHeaders();
  for await (const piece of stream ?? []) response.write(piece);
  response.end();
}

async function readRequest(message: IncomingMessage): Promise<FakeRequest> {
  const pieces: Buffer[] = [];
  for await (const piece of message) pieces.push(piece as Buffer);
  const { method = 'GET', url = '/', headers } = message;
  return { method, path: url, headers, body: Buffer.concat(pieces) };
}

let replies = 0;

function send(response: ServerResponse, message: IncomingMessage, reply: FakeReply, truncate?: number): void {
  if (response.headersSent || response.destroyed) return;
  const { status, body, headers = {} } = reply;
  const isRaw = typeof body === 'string' || body instanceof Uint8Array;
  const bytes = Buffer.from(isRaw ? body : body === undefined ? '' : JSON.stringify(body));
  replies += 1;
  response.writeHead(status, {
    ...(!isRaw && bytes.length > 0 && { 'content-type': 'application/json' }),
    'content-length': bytes.length,
    'x-faas-request-id': `fake-${replies}`,
    ...headers,
  });
  if (message.method === 'HEAD') response.end();
  else if (truncate === undefined) response.end(bytes);
  else response.write(bytes.subarray(0, truncate), () => message.socket.end());
}
