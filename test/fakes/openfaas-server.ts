/** What the fakes of OpenFaaS and E2E share: a server on loopback with scripted faults, and functions that run jobs. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AnyJob } from '../../src/core/define-job.js';
import { type HttpEntry, httpEntry } from '../../src/executors/shared/entry/http-entry.js';
import { jobsRunner } from '../../src/executors/shared/entry/runner.js';

export type Json = Record<string, unknown>;

export interface FakeFault {
  /** `PUT functions`, `GET function`, `POST call`, … */
  readonly operation: string;
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** `before`: nothing is done, `after`: it is done and the reply is lost. */
  readonly reset?: 'before' | 'after';
  readonly hang?: boolean;
  readonly run?: () => void;
}

export interface FakeRequest {
  readonly method: string;
  readonly target: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly bytes: Buffer;
  readonly body: Json;
}

export interface FakeReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Objects go as JSON. */
  readonly body?: unknown;
  /** Written piece by piece; the reply ends when it ends. */
  readonly stream?: AsyncIterable<string>;
}

export interface ServerOptions {
  readonly jobs?: readonly AnyJob[];
  /** Functions without our entry: any call gets this. */
  readonly raw?: (request: FakeRequest) => FakeReply;
  readonly observe?: (request: FakeRequest, operation: string, reply: FakeReply) => void;
}

export abstract class FakeServer {
  origin = '';
  readonly operations: string[] = [];
  readonly targets: string[] = [];
  readonly bodies: Json[] = [];
  readonly faults: FakeFault[] = [];
  /** By call id: how often its function ran. */
  readonly executions = new Map<string, number>();
  /** What came with the last call. */
  callHeaders: IncomingMessage['headers'] = {};
  readonly #options: ServerOptions;
  readonly #entry: HttpEntry;
  readonly #server = createServer((incoming, outgoing) => {
    this.#serve(incoming, outgoing).catch((error: unknown) => {
      console.error('the fake failed', error);
      outgoing.destroy();
    });
  });

  constructor(options: ServerOptions) {
    this.#options = options;
    const run = jobsRunner(options.jobs ?? [], 'e2e-openfaas');
    this.#entry = httpEntry(async () => run);
  }

  /** The name of a request, by which faults are scripted. */
  protected abstract nameOf(method: string, url: URL): string;
  protected abstract answer(operation: string, request: FakeRequest): Promise<FakeReply>;

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.origin = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The next requests of an operation meet the fault. */
  fault(operation: string, fault: Omit<FakeFault, 'operation'>, times = 1): void {
    for (let n = 0; n < times; n += 1) this.faults.push({ operation, ...fault });
  }

  writes(): string[] {
    return this.operations.filter((one) => /^(PUT|DELETE|POST) /.test(one) && !/ (call|async)$/.test(one));
  }

  /** Runs the function behind a call. */
  protected async run(request: FakeRequest): Promise<FakeReply> {
    const { headers, bytes } = request;
    this.callHeaders = headers;
    const callId = headers['x-faas-call-id'];
    if (typeof callId === 'string') this.executions.set(callId, (this.executions.get(callId) ?? 0) + 1);
    if (this.#options.raw !== undefined) return this.#options.raw(request);
    const { status, headers: own, body } = await this.#entry({ headers, body: bytes });
    return { status, headers: own, body: Buffer.from(body) };
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
    } catch {
      return; // the caller went away before its request was complete: nothing runs
    }
    const { method = '', url: target = '', headers } = incoming;
    const url = new URL(target, 'http://fake');
    const operation = this.nameOf(method, url);
    const bytes = Buffer.concat(chunks);
    const request = { method, target, url, headers, bytes, body: parse(bytes) };
    this.operations.push(operation);
    this.targets.push(`${method} ${target}`);
    this.bodies.push(request.body);
    const index = this.faults.findIndex((one) => one.operation === operation);
    const fault = index < 0 ? undefined : this.faults.splice(index, 1)[0];
    fault?.run?.();
    if (fault?.hang) return;
    if (fault?.reset === 'before') return void incoming.socket.resetAndDestroy();
    const reply =
      fault?.status === undefined
        ? await this.answer(operation, request)
        : { status: fault.status, body: fault.body ?? 'scripted\n' };
    if (fault?.reset === 'after') return void incoming.socket.resetAndDestroy();
    this.#options.observe?.(request, operation, reply);
    await write(outgoing, { ...reply, headers: { ...reply.headers, ...fault?.headers } });
  }
}

async function write(
  outgoing: ServerResponse,
  { status, headers = {}, body, stream }: FakeReply,
): Promise<void> {
  if (stream !== undefined) {
    outgoing.writeHead(status, headers).flushHeaders();
    for await (const piece of stream) {
      if (outgoing.destroyed) return;
      outgoing.write(piece);
    }
    return void outgoing.end();
  }
  if (body === undefined) return void outgoing.writeHead(status, headers).end();
  if (Buffer.isBuffer(body)) return void outgoing.writeHead(status, headers).end(body);
  if (typeof body === 'string') {
    const plain = { 'content-type': 'text/plain; charset=utf-8', ...headers };
    return void outgoing.writeHead(status, plain).end(body);
  }
  outgoing.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

function parse(bytes: Buffer): Json {
  try {
    return JSON.parse(bytes.toString()) as Json;
  } catch {
    return {};
  }
}
