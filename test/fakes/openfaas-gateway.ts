/**
 * fakeGateway: an OpenFaaS-compatible gateway on loopback, with states, delays and faults on demand. Its statuses and
 * texts follow what was recorded of the gateway at its last MIT commit with a provider that answers as faas-netes did.
 */
import { randomUUID } from 'node:crypto';
import {
  type FakeReply,
  type FakeRequest,
  FakeServer,
  type Json,
  type ServerOptions,
} from './openfaas-server.js';

export const USER = 'admin';
export const PASSWORD = 'fake-gateway-password';

export interface GatewayOptions extends ServerOptions {
  /** Reads of a new or changed function that see no copy available. Default 1. */
  readonly settleReads?: number;
  /** CE makes 1 to 5 replicas of any number. Default false. */
  readonly isCommunityEdition?: boolean;
  /** Takes this in place of Basic auth. */
  readonly bearer?: () => string;
  /** How long an id token's exchange lasts, in seconds; there is none without. */
  readonly tokenLifeSecs?: number;
}

interface Entry {
  readonly spec: Json;
  readonly createdAt: string;
  replicas: number;
  reads: number;
}

export class FakeGateway extends FakeServer {
  readonly functions = new Map<string, Entry>();
  readonly secrets = new Map<string, string>();
  readonly namespaces = new Set(['openfaas-fn']);
  readonly logLines: { readonly name: string; readonly timestamp: string; readonly text: string }[] = [];
  readonly queued: { readonly path: string; readonly headers: FakeRequest['headers'] }[] = [];
  /** Tokens that were given out. */
  tokens = 0;
  /** Names of functions that never get a copy. */
  readonly stuck = new Set<string>();
  readonly #options: GatewayOptions;

  constructor(options: GatewayOptions = {}) {
    super(options);
    this.#options = options;
  }

  get url(): string {
    return this.origin;
  }

  protected nameOf(method: string, { pathname }: URL): string {
    const [, first = '', second = ''] = pathname.split('/');
    if (first === 'function') return `${method} call`;
    if (first === 'async-function') return `${method} async`;
    if (first === 'oauth') return `${method} token`;
    if (first === 'system') return `${method} ${second}`;
    return `${method} ${first}`;
  }

  protected async answer(operation: string, request: FakeRequest): Promise<FakeReply> {
    if (operation === 'GET healthz') return { status: 200 };
    if (operation === 'POST token') return this.#token();
    if (operation.endsWith(' call')) return this.#call(request);
    if (operation === 'POST async') return this.#enqueue(request);
    if (!this.#isAllowed(String(request.headers.authorization))) {
      const headers = { 'www-authenticate': 'Basic realm="Restricted"' };
      return { status: 401, headers, body: 'invalid credentials' };
    }
    const { url, body } = request;
    const name = decodeURIComponent(url.pathname.split('/')[3] ?? '');
    switch (operation) {
      case 'GET info': {
        const version = { sha: 'abc', release: '0.27.0' };
        return {
          status: 200,
          body: { provider: { provider: 'fake', version, orchestration: 'process' }, version, arch: '' },
        };
      }
      case 'GET functions':
        return { status: 200, body: [...this.functions.keys()].map((one) => this.#status(one)) };
      case 'POST functions':
      case 'PUT functions':
        return this.#write(request);
      case 'DELETE functions':
        return this.#delete(String(body['functionName'] ?? ''));
      case 'GET function':
        return this.functions.has(name) ? { status: 200, body: this.#status(name, true) } : { status: 404 };
      case 'POST scale-function':
        return this.#scale(name, Number(body['replicas']));
      case 'GET namespaces':
        return { status: 200, body: [...this.namespaces] };
      case 'POST namespace':
        this.namespaces.add(String(body['name']));
        return { status: 202 };
      case 'DELETE namespace':
        return { status: this.namespaces.delete(name) ? 202 : 404 };
      case 'GET logs':
        return this.#logs(url.searchParams);
      default:
        return operation.endsWith(' secrets')
          ? this.#secret(request)
          : { status: 404, body: '404 page not found\n' };
    }
  }

  #write({ method, body }: FakeRequest): FakeReply {
    const name = String(body['service'] ?? '');
    if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name))
      return invalid(`validation failed: service: (${name}) is invalid, must be a valid DNS entry\n`);
    if (!body['image']) return invalid('validation failed: image: is required\n');
    for (const secret of (body['secrets'] ?? []) as string[]) {
      if (!this.secrets.has(secret))
        return invalid(`unable to fetch secrets: secrets "${secret}" not found\n`);
    }
    const found = this.functions.get(name);
    if (method === 'PUT' && found === undefined) {
      const text = `unable update Deployment: ${name}.openfaas-fn, error: deployments.apps "${name}" not found\n`;
      return { status: 404, body: text };
    }
    if (method === 'POST' && found !== undefined)
      return { status: 500, body: `unable create Deployment: deployments.apps "${name}" already exists\n` };
    const labels = (body['labels'] ?? {}) as Record<string, string>;
    const least = Number(labels['com.openfaas.scale.min'] ?? 1);
    this.functions.set(name, {
      spec: { ...body, labels: { ...labels, faas_function: name } },
      createdAt: found?.createdAt ?? new Date().toISOString(),
      replicas: found?.replicas ?? least,
      reads: 0,
    });
    return { status: 202 };
  }

  #delete(name: string): FakeReply {
    if (name === '') return { status: 400 };
    if (this.functions.delete(name)) return { status: 202 };
    return { status: 404, body: `deployments.apps "${name}" not found` };
  }

  #status(name: string, isRead = false): Json {
    const entry = this.functions.get(name);
    if (entry === undefined) throw new Error(`no function ${name}`);
    if (isRead) entry.reads += 1;
    const { service: _, secrets, ...spec } = entry.spec;
    const isReady = !this.stuck.has(name) && entry.reads > (this.#options.settleReads ?? 1);
    const available = isReady ? entry.replicas : 0;
    // As Go writes it: no zeros, no empty lists.
    return {
      ...spec,
      name,
      ...((secrets as string[])?.length > 0 && { secrets }),
      ...(entry.replicas > 0 && { replicas: entry.replicas }),
      ...(available > 0 && { availableReplicas: available }),
      createdAt: entry.createdAt,
    };
  }

  #scale(name: string, asked: number): FakeReply {
    const entry = this.functions.get(name);
    if (entry === undefined) return { status: 500, body: `unable to lookup function deployment ${name}\n` };
    entry.replicas = this.#options.isCommunityEdition ? Math.min(5, Math.max(1, asked)) : asked;
    return { status: 202 };
  }

  #secret({ method, body }: FakeRequest): FakeReply {
    const name = String(body['name'] ?? '');
    const value = String(
      body['value'] ?? Buffer.from(String(body['rawValue'] ?? ''), 'base64').toString('latin1'),
    );
    const isThere = this.secrets.has(name);
    if (method === 'GET')
      return {
        status: 200,
        body: [...this.secrets.keys()].map((one) => ({ name: one, namespace: 'openfaas-fn' })),
      };
    if (method === 'POST' ? isThere : !isThere) return { status: method === 'POST' ? 409 : 404 };
    if (method === 'DELETE') this.secrets.delete(name);
    else this.secrets.set(name, value);
    return { status: 202 };
  }

  #logs(query: URLSearchParams): FakeReply {
    const since = Date.parse(query.get('since') ?? '') || 0;
    const name = query.get('name') ?? '';
    const tail = Number(query.get('tail') ?? 0);
    const lines = () =>
      this.logLines.filter((line) => line.name === name && Date.parse(line.timestamp) >= since).map(lineOf);
    const follow = query.get('follow') === 'true';
    const all = lines();
    async function* stream() {
      yield* tail > 0 ? all.slice(-tail) : all;
      let sent = all.length;
      // A gateway cuts followers off after its write timeout.
      for (let turn = 0; follow && turn < 20; turn += 1) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        const now = lines();
        yield* now.slice(sent);
        sent = now.length;
      }
    }
    return { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' }, stream: stream() };
  }

  async #call(request: FakeRequest): Promise<FakeReply> {
    const target = decodeURIComponent(request.url.pathname.split('/')[2] ?? '');
    const name = target.replace(/\.[^.]*$/, '');
    const entry = this.functions.get(name);
    if (entry === undefined) {
      const body = `error finding function ${target}: server returned non-200 status code (404) for function, ${name}, body: `;
      return { status: 404, body };
    }
    if (entry.replicas === 0) entry.replicas = 1;
    const startedMs = performance.now();
    const reply = await this.run(request);
    this.#log(name, `Wrote bytes for ${String(request.headers['x-faas-call-id'])}`);
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(6);
    const own = { 'x-call-id': randomUUID(), 'x-duration-seconds': seconds };
    return { ...reply, headers: { ...own, ...reply.headers } };
  }

  /** Takes anything, as the gateway does, and brings the result to the callback a little later. */
  #enqueue(request: FakeRequest): FakeReply {
    const { headers, url } = request;
    const own = headers['x-call-id'];
    const callId = typeof own === 'string' ? own : randomUUID();
    const callback = headers['x-callback-url'];
    this.queued.push({ path: url.pathname, headers });
    setTimeout(() => {
      const target = new URL(url.href.replace('/async-function/', '/function/'));
      this.#call({ ...request, url: target }).then(async (reply) => {
        if (typeof callback !== 'string') return;
        const extra = {
          'x-call-id': callId,
          'x-function-status': String(reply.status),
          'x-function-name': 'f',
        };
        const body = typeof reply.body === 'string' ? Buffer.from(reply.body) : (reply.body as Buffer);
        await fetch(callback, {
          method: 'POST',
          headers: { ...reply.headers, ...extra },
          body: new Uint8Array(body),
        }).catch(() => {});
      });
    }, 20);
    return { status: 202, headers: own === undefined ? { 'x-call-id': callId } : {} };
  }

  #token(): FakeReply {
    const { tokenLifeSecs } = this.#options;
    if (tokenLifeSecs === undefined) return { status: 404, body: '404 page not found\n' };
    this.tokens += 1;
    return {
      status: 200,
      body: { access_token: this.#options.bearer?.(), token_type: 'Bearer', expires_in: tokenLifeSecs },
    };
  }

  #isAllowed(authorization: string): boolean {
    const { bearer } = this.#options;
    if (bearer !== undefined) return authorization === `Bearer ${bearer()}`;
    return authorization === `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`;
  }

  #log(name: string, text: string): void {
    this.logLines.push({ name, timestamp: new Date().toISOString(), text });
  }
}

function invalid(body: string): FakeReply {
  return { status: 400, body };
}

function lineOf(line: { readonly name: string; readonly timestamp: string; readonly text: string }): string {
  return `${JSON.stringify({ ...line, namespace: 'openfaas-fn', instance: `${line.name}-0` })}\n`;
}

export function fakeGateway(options: GatewayOptions = {}): Promise<FakeGateway> {
  return new FakeGateway(options).open();
}
