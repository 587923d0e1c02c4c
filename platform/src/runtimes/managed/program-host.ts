/**
 * Runs inside an instance: puts any program behind HTTP, as a watchdog does. It answers on a socket in the instance's
 * own folder. By the environment variable `mode`:
 *
 * - `streaming` (default), `serializing`: one process for each request, the body on stdin, the answer on stdout, the
 *   request's head in variables `Http_…`;
 * - `http`: one process that serves HTTP on 127.0.0.1 at the port in `PORT`; it listens here once that one accepts.
 *
 * Node's modules only.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { delimiter, join, resolve } from 'node:path';

const [, , command = ''] = process.argv;
const { mode = 'streaming', content_type: contentType, upstream_url: upstreamUrl } = process.env;
const START_POLL_MS = 20;

const [file = '', ...args] = command.split(/\s+/).filter((word) => word !== '');
const program = findProgram(file);
if (program === undefined) fail(`there is no program ${JSON.stringify(file)} on this machine`);

if (mode === 'http') await serveUpstream();
else if (mode === 'streaming' || mode === 'serializing') listen(fork);
else fail(`the mode ${JSON.stringify(mode)} is unknown; known are streaming, serializing and http`);

/** One process for one request. */
function fork(request: IncomingMessage, response: ServerResponse): void {
  const begunAt = performance.now();
  log('Forking fprocess.');
  const child = start(requestEnvironment(request));
  const chunks: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr?.pipe(process.stderr, { end: false });
  child.stdin?.on('error', () => {});
  if (child.stdin !== null) request.pipe(child.stdin);
  // Nobody waits for it any more: it and what it started must not go on.
  response.once('close', () => killGroup(child));
  child.once('error', (error) => {
    response.writeHead(500, { 'Content-Type': 'text/plain' });
    response.end(`${error.message}\n`);
  });
  child.once('close', (code, signal) => {
    if (response.headersSent) return;
    const seconds = ((performance.now() - begunAt) / 1000).toFixed(6);
    const output = Buffer.concat(chunks);
    if (code !== 0) {
      const how = signal === null ? `exit status ${code}` : `signal: ${signal}`;
      log(`Forked function has terminated: ${how}`);
      response.writeHead(500, { 'Content-Type': 'text/plain', 'X-Duration-Seconds': seconds });
      response.end(`${how}\n`);
      return;
    }
    log(`Wrote ${output.length} Bytes - Duration: ${seconds}s`);
    response.writeHead(200, {
      ...((contentType ?? request.headers['content-type']) !== undefined && {
        'Content-Type': contentType ?? request.headers['content-type'],
      }),
      'Content-Length': output.length,
      'X-Duration-Seconds': seconds,
    });
    response.end(request.method === 'HEAD' ? undefined : output);
  });
}

/** One process for all requests. */
async function serveUpstream(): Promise<void> {
  const port = upstreamUrl === undefined ? await freePort() : Number(new URL(upstreamUrl).port || '80');
  // Under the names that programs, and our own entries, look for.
  const child = start({ PORT: String(port), http_port: String(port) });
  child.stdin?.end();
  child.stdout?.pipe(process.stdout, { end: false });
  child.stderr?.pipe(process.stderr, { end: false });
  child.once('error', (error) => fail(error.message));
  child.once('exit', (code, signal) => {
    console.error(`the program ended with ${signal ?? `exit code ${code}`}`);
    process.exit(1);
  });
  while (!(await accepts(port))) await new Promise((resolve) => setTimeout(resolve, START_POLL_MS));
  listen((request, response) => forward(request, response, port));
}

function forward(request: IncomingMessage, response: ServerResponse, port: number): void {
  const { method, url, rawHeaders } = request;
  const outgoing = httpRequest({
    host: '127.0.0.1',
    port,
    method,
    path: url,
    headers: rawHeaders,
    agent: false,
  });
  outgoing.on('response', (incoming) => {
    response.writeHead(incoming.statusCode ?? 502, incoming.rawHeaders);
    incoming.pipe(response);
    incoming.on('error', () => response.destroy());
  });
  outgoing.on('error', () => {
    if (response.headersSent) return void response.destroy();
    response.writeHead(500, { 'Content-Length': 0, 'X-OpenFaaS-Internal': 'of-watchdog' });
    response.end();
  });
  response.once('close', () => outgoing.destroy());
  request.pipe(outgoing);
}

/** Asked before the first request, so that who deploys it learns at once that there is none. */
function findProgram(name: string): string | undefined {
  const places = name.includes('/')
    ? [resolve(name)]
    : (process.env['PATH'] ?? '').split(delimiter).map((place) => join(place, name));
  return places.find((place) => {
    try {
      accessSync(place, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** In a group of its own, so that it can be ended with all it started; words are split as OpenFaaS splits them. */
function start(env: Record<string, string>): ChildProcess {
  return spawn(program ?? file, args, {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
}

function killGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended by itself in the meantime.
  }
}

/** As the classic watchdog names them: `Http_X_Call_Id`. */
function requestEnvironment(request: IncomingMessage): Record<string, string> {
  const { method = 'GET', url = '/', headers } = request;
  const [path = '/', query] = url.split(/\?(.*)/s);
  const named = Object.entries(headers).flatMap(([name, value]) => {
    const title = name.split('-').map((part) => part.charAt(0).toUpperCase() + part.slice(1));
    return value === undefined ? [] : [[`Http_${title.join('_')}`, String(value)] as const];
  });
  const length = headers['content-length'];
  return {
    ...Object.fromEntries(named),
    Http_Method: method,
    Http_Path: path,
    ...(query !== undefined && query !== '' && { Http_Query: query }),
    ...(length !== undefined && { Http_ContentLength: length }),
  };
}

function listen(answer: (request: IncomingMessage, response: ServerResponse) => void): void {
  const server = createServer(answer);
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  const folder = process.cwd();
  // A socket's path has little room, so it is named from inside its folder.
  process.chdir(process.env['HOME'] ?? '/');
  server.listen('s', () => process.chdir(folder));
}

async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const settle = (isOpen: boolean): void => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}

/** `2026/01/31 12:00:00 …`, on stderr like the watchdogs of OpenFaaS. */
function log(text: string): void {
  const [date = '', time = ''] = new Date().toISOString().split('T');
  process.stderr.write(`${date.replaceAll('-', '/')} ${time.slice(0, 8)} ${text}\n`);
}

function fail(reason: string): never {
  console.error(reason);
  process.exit(1);
}
