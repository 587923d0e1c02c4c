/**
 * fakeDigitalOcean: the account's API for namespaces and triggers, and OpenWhisk behind it, on one loopback port. No
 * emulator of the two exists. What it answers follows DigitalOcean's OpenAPI and OpenWhisk's Swagger (test/contracts
 * checks that), the activation record and its annotations as OpenWhisk's documentation has them.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AnyJob } from '../../src/core/define-job.js';
import { openWhiskMain } from '../../src/executors/digitalocean/entry.js';
import { jobsRunner } from '../../src/executors/shared/entry/runner.js';
import { FakeAccount, type Json } from './digitalocean-account.js';

export interface FakeFault {
  /** `PUT action`, `POST action`, `GET activation`, `GET namespaces`, … */
  readonly operation: string;
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** `before`: nothing is done, `after`: it is done and the reply is lost, `mid-body`: the reply is cut off. */
  readonly reset?: 'before' | 'after' | 'mid-body';
  readonly hang?: boolean;
  /** Answers this much later. */
  readonly delayMs?: number;
  readonly run?: () => void;
}

export interface ObservedExchange {
  readonly operation: string;
  readonly method: string;
  readonly target: string;
  readonly body: Json | undefined;
  readonly status: number;
  readonly reply: unknown;
}

export interface FakeOptions {
  readonly jobs?: readonly AnyJob[];
  /** A blocking call that takes longer is answered with 202. Default: never. */
  readonly blockingMs?: number;
  readonly observe?: (exchange: ObservedExchange) => void;
}

export const TOKEN = 'dop_v1_fake_token_0123456789';
export const REGION = 'fra1';

export class FakeDigitalOcean {
  url = '';
  readonly #account = new FakeAccount();
  readonly namespaces = this.#account.namespaces;
  readonly triggers = this.#account.triggers;
  readonly actions = new Map<string, Json>();
  readonly activations = new Map<string, Json>();
  readonly operations: string[] = [];
  readonly executions = new Map<string, number>();
  readonly faults: FakeFault[] = [];
  /** Reads of an activation that find nothing yet. */
  hiddenReads = 0;
  readonly #options: FakeOptions;
  readonly #main: ReturnType<typeof openWhiskMain>;
  readonly #warm = new Set<string>();
  #versions = 0;
  readonly #server = createServer((incoming, outgoing) => {
    this.#serve(incoming, outgoing).catch((error: unknown) => {
      console.error('fakeDigitalOcean failed', error);
      outgoing.destroy();
    });
  });

  constructor(options: FakeOptions) {
    this.#options = options;
    const run = jobsRunner(options.jobs ?? [], 'digitalocean');
    this.#main = openWhiskMain(async () => run);
  }

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  /** The next requests of an operation meet the fault. */
  fault(operation: string, fault: Omit<FakeFault, 'operation'>, times = 1): void {
    for (let n = 0; n < times; n += 1) this.faults.push({ operation, ...fault });
  }

  writes(): string[] {
    return this.operations.filter((operation) => /^(PUT|DELETE) |^POST (namespaces|trigger)/.test(operation));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
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
    const steps = url.pathname.split('/').slice(1).map(decodeURIComponent);
    const operation = `${method} ${nameOf(steps)}`;
    this.operations.push(operation);
    const index = this.faults.findIndex((one) => one.operation === operation);
    const fault = index < 0 ? undefined : this.faults.splice(index, 1)[0];
    fault?.run?.();
    if (fault?.hang) return;
    if (fault?.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
    if (fault?.reset === 'before') return void incoming.socket.resetAndDestroy();
    const body = chunks.length === 0 ? undefined : (JSON.parse(Buffer.concat(chunks).toString()) as Json);
    const isPlain = fault?.status === undefined;
    const [status, reply] = isPlain
      ? await this.#answer(method, steps, url.searchParams, body, String(headers.authorization))
      : ([fault.status ?? 500, fault.body ?? { error: 'scripted', code: 'abc' }] as const);
    if (fault?.reset === 'after') return void incoming.socket.resetAndDestroy();
    this.#options.observe?.({ operation, method, target, body, status, reply });
    const text = reply === undefined ? '' : typeof reply === 'string' ? reply : JSON.stringify(reply);
    if (fault?.reset === 'mid-body') {
      outgoing.writeHead(status, { 'content-length': text.length + 9 }).write(text);
      return void setTimeout(() => incoming.socket.resetAndDestroy(), 5);
    }
    outgoing.writeHead(status, { 'content-type': 'application/json', ...fault?.headers }).end(text);
  }

  async #answer(
    method: string,
    steps: readonly string[],
    query: URLSearchParams,
    body: Json | undefined,
    authorization: string,
  ): Promise<[status: number, reply: unknown]> {
    if (steps[0] === 'v2') {
      if (authorization !== `Bearer ${TOKEN}`)
        return [401, { id: 'unauthorized', message: 'Unable to authenticate you' }];
      return this.#account.answer(method, steps.slice(3), body, this.url);
    }
    const [namespace] = [...this.namespaces.values()].filter(
      (one) => authorization === `Basic ${Buffer.from(`${one['uuid']}:${one['key']}`).toString('base64')}`,
    );
    if (namespace === undefined)
      return [401, { error: 'The supplied authentication is invalid.', code: 'a1' }];
    const [kind, ...rest] = steps.slice(4);
    if (kind === 'actions') return this.#action(method, rest.join('/'), query, body);
    return this.#activation(rest, query);
  }

  async #action(
    method: string,
    name: string,
    query: URLSearchParams,
    body: Json | undefined,
  ): Promise<[number, unknown]> {
    if (name === '') {
      const [limit, skip] = [Number(query.get('limit') ?? 30), Number(query.get('skip') ?? 0)];
      return [200, [...this.actions.values()].map(withoutCode).slice(skip, skip + limit)];
    }
    const found = this.actions.get(name);
    switch (method) {
      case 'PUT': {
        if (found !== undefined && query.get('overwrite') !== 'true')
          return [409, { error: 'resource already exists', code: 'c1' }];
        this.#versions += 1;
        const exec = body?.['exec'] as Json;
        const made = {
          namespace: 'fn',
          name,
          version: `0.0.${this.#versions}`,
          publish: false,
          ...body,
          exec: { ...exec, binary: true },
          // DigitalOcean adds some of its own.
          annotations: [
            ...((body?.['annotations'] ?? []) as Json[]),
            { key: 'provide-api-key', value: false },
          ],
          updated: Date.now(),
        };
        this.actions.set(name, made);
        return [200, made];
      }
      case 'GET':
        return found === undefined ? notFound() : [200, withoutCode(found)];
      case 'DELETE':
        return this.actions.delete(name) ? [200, withoutCode(found ?? {})] : notFound();
      default:
        return found === undefined ? notFound() : this.#invoke(name, found, query, body ?? {});
    }
  }

  async #invoke(
    name: string,
    action: Json,
    query: URLSearchParams,
    params: Json,
  ): Promise<[number, unknown]> {
    const activationId = randomUUID().replaceAll('-', '');
    const startMs = Date.now();
    const callId = params['call_id'];
    if (typeof callId === 'string') this.executions.set(callId, (this.executions.get(callId) ?? 0) + 1);
    const isCold = !this.#warm.has(name);
    this.#warm.add(name);
    const run = this.#main(params).then((answer): Json => {
      const result = 'jobferry_warm' in answer ? { ...answer, instance: `instance-${activationId}` } : answer;
      const failed = 'error' in answer;
      const record = {
        activationId,
        namespace: 'fn',
        name,
        version: String(action['version']),
        publish: false,
        subject: 'fn',
        start: startMs,
        end: Date.now(),
        duration: Date.now() - startMs,
        response: {
          status: failed ? 'application error' : 'success',
          statusCode: failed ? 1 : 0,
          success: !failed,
          result,
        },
        logs: [],
        annotations: [
          { key: 'waitTime', value: 12 },
          { key: 'kind', value: 'nodejs:18' },
          ...(isCold ? [{ key: 'initTime', value: 321 }] : []),
        ],
      };
      this.activations.set(activationId, {
        ...record,
        logLines: [`${new Date(startMs).toISOString()} stdout: ran ${String(callId)}`],
      });
      return record;
    });
    if (query.get('blocking') !== 'true') return [202, { activationId }];
    const { blockingMs = Infinity } = this.#options;
    const late = new Promise<undefined>((resolve) => {
      if (blockingMs !== Infinity) setTimeout(() => resolve(undefined), blockingMs).unref();
    });
    const record = await Promise.race([run, late]);
    if (record === undefined) return [202, { activationId }];
    return [(record['response'] as Json)['success'] === true ? 200 : 502, record];
  }

  #activation([id, part]: readonly string[], query: URLSearchParams): [number, unknown] {
    if (id === undefined) {
      const name = query.get('name');
      const since = Number(query.get('since') ?? 0);
      // Newest first, by the time a call began; a record is there when the call has ended.
      const all = [...this.activations.values()]
        .filter((one) => one['name'] === name && Number(one['start']) > since)
        .reverse()
        .sort((a, b) => Number(b['start']) - Number(a['start']));
      const [limit, skip] = [Number(query.get('limit') ?? 30), Number(query.get('skip') ?? 0)];
      return [200, all.slice(skip, skip + limit).map(({ logLines: _, response: __, ...brief }) => brief)];
    }
    const found = this.activations.get(id);
    if (found === undefined || this.hiddenReads-- > 0) return notFound();
    const { logLines, ...record } = found;
    return part === 'logs' ? [200, { logs: logLines }] : [200, record];
  }
}

function nameOf([first, , third, id, kind, name, part]: readonly string[]): string {
  if (first === 'v2') {
    if (id === undefined) return 'namespaces';
    return kind === undefined ? 'namespace' : name === undefined ? 'triggers' : 'trigger';
  }
  if (third !== 'namespaces') return 'unknown';
  const what = kind === 'actions' ? 'action' : 'activation';
  return name === undefined ? `${what}s` : part === undefined ? what : `${what} ${part}`;
}

function withoutCode(action: Json): Json {
  const { code: _, ...exec } = (action['exec'] ?? {}) as Json;
  return { ...action, exec };
}

function notFound(): [number, unknown] {
  return [404, { error: 'The requested resource does not exist.', code: 'd1' }];
}

export function fakeDigitalOcean(options: FakeOptions = {}): Promise<FakeDigitalOcean> {
  return new FakeDigitalOcean(options).open();
}
