/** Requests as faas-cli sends them, and as users of OpenFaaS do with curl. */

import { type Client, eventually } from './platform.js';
import { zip } from './zip.js';

export interface FaasReply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface OpenFaasClient {
  system(method: string, path: string, body?: unknown): Promise<FaasReply>;
  /** Deploys as faas-cli does: PUT, and POST when that says 404. */
  deploy(deployment: object): Promise<FaasReply>;
  /** Waits until an instance is available, like `faas-cli ready`. */
  ready(name: string): Promise<void>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every shape
  get(name: string): Promise<any>;
  call(
    path: string,
    options?: { method?: string; body?: string | Buffer; headers?: Record<string, string> },
  ): Promise<FaasReply>;
}

export function openFaasClient(client: Client): OpenFaasClient {
  const send = async (
    method: string,
    path: string,
    body?: string | Buffer,
    headers: Record<string, string> = {},
  ): Promise<FaasReply> => {
    const options = { ...(body !== undefined && { body }), headers };
    const { status, headers: replied, bytes } = await client.requestBytes(method, path, options);
    return { status, headers: replied, text: bytes.toString('utf8') };
  };
  const system: OpenFaasClient['system'] = (method, path, body) =>
    send(method, `/system/${path}`, body === undefined ? undefined : JSON.stringify(body), {
      'Content-Type': 'application/json',
    });
  const get: OpenFaasClient['get'] = async (name) => {
    const { status, text } = await system('GET', `function/${name}?usage=1`);
    return status === 200 ? JSON.parse(text) : undefined;
  };
  return {
    system,
    get,
    async deploy(deployment) {
      const body = { image: 'functions/alpine:latest', ...deployment };
      const put = await system('PUT', 'functions', body);
      return put.status === 404 ? system('POST', 'functions', body) : put;
    },
    async ready(name) {
      await eventually(
        async () => {
          const fn = await get(name);
          if (fn?.state === 'failed') throw new Error(`it failed: ${fn.reason}`);
          return (fn?.availableReplicas ?? 0) > 0;
        },
        `${name} is ready`,
        60_000,
      );
    },
    call: (path, { method = 'POST', body, headers } = {}) => send(method, path, body, headers),
  };
}

/** A program that serves HTTP at `PORT`. */
const UPSTREAM = `
const http = require('node:http');
http.createServer((request, response) => {
  if (request.url.startsWith('/sleep')) return;
  if (request.url.startsWith('/stream')) {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    let n = 0;
    const timer = setInterval(() => {
      response.write('data: ' + n++ + '\\n\\n');
      if (request.url.includes('break') && n === 2) response.destroy();
      if (n === 3) { clearInterval(timer); response.end(); }
    }, 100);
    return;
  }
  if (request.url.startsWith('/die')) return request.socket.destroy();
  if (request.url.startsWith('/go')) return response.writeHead(302, { Location: '/there' }).end();
  response.writeHead(200, { 'X-Pid': process.pid, 'X-Got': request.headers['x-call-id'] ?? '' });
  setTimeout(() => response.end(request.method + ' ' + request.url), Number(request.headers['x-slow'] ?? 0));
}).listen(Number(process.env.PORT), '127.0.0.1');`;

/** A deployment of it. */
export const upstream = (more: object = {}, env: object = {}): object => ({
  envProcess: 'node server.js',
  envVars: { mode: 'http', ...env },
  code_archive: zip([{ name: 'server.js', content: UPSTREAM }]).toString('base64'),
  ...more,
});
