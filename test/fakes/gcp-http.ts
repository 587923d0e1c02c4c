/** The HTTP side of fakeGcp: metadata server, signed uploads, functions, Cloud Run's policies, Cloud Logging. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AnyJob } from '../../src/core/define-job.js';
import { cloudFunction } from '../../src/executors/gcp-functions/entry.js';
import { jobsRunner } from '../../src/executors/shared/entry/runner.js';
import type { FakeGcp, Json } from './gcp-functions.js';

type Main = ReturnType<typeof cloudFunction>;

interface Instance {
  readonly main: Main;
  isBusy: boolean;
}

export class FakeGcpHttp {
  url = '';
  /** Where callers see it, when something stands in between. */
  publicUrl: string | undefined;
  accessToken = 'ya29.fake-access-token-0123456789';
  readonly uploads = new Map<string, Buffer>();
  readonly policies = new Map<string, Json>();
  readonly executions = new Map<string, number>();
  readonly logs: Json[] = [];
  entriesPerPage = 1000;
  /** Tokens given out, by audience. */
  readonly identityTokens: string[] = [];
  /** Headers of every upload. */
  readonly uploadHeaders: IncomingMessage['headers'][] = [];
  /** Tokens that functions take no more. */
  readonly revoked = new Set<string>();
  /** What new instances fail with while they load the package. */
  loadError: Error | undefined;
  readonly #fake: FakeGcp;
  readonly #jobs: readonly AnyJob[];
  readonly #instances = new Map<string, Instance[]>();
  readonly #server = createServer((incoming, outgoing) => {
    this.#serve(incoming, outgoing).catch((error: unknown) => {
      console.error('fakeGcp failed', error);
      outgoing.destroy();
    });
  });

  constructor(fake: FakeGcp, jobs: readonly AnyJob[]) {
    this.#fake = fake;
    this.#jobs = jobs;
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
    } catch {
      return; // the caller went away before its request was complete: nothing runs
    }
    const { method = '', url: target = '' } = incoming;
    const url = new URL(target, this.url);
    const fault = this.#fake.takeFault(nameOf(method, url.pathname));
    if (fault?.hang) return;
    if (fault?.reset === 'before') return void incoming.socket.resetAndDestroy();
    const body = Buffer.concat(chunks);
    if (fault?.status !== undefined) {
      outgoing.writeHead(fault.status, fault.headers).end(fault.body ?? '');
      return;
    }
    if (url.pathname.startsWith('/run/')) {
      if (fault?.reset === 'after') outgoing.end = () => incoming.socket.resetAndDestroy() as never;
      return this.#call(url.pathname.slice(5), incoming, body, outgoing);
    }
    const [status, reply] = this.#answer(method, url, incoming, body);
    if (fault?.reset === 'after') return void incoming.socket.resetAndDestroy();
    const text = typeof reply === 'string' ? reply : JSON.stringify(reply);
    const type = typeof reply === 'string' ? 'text/plain' : 'application/json';
    outgoing.writeHead(status, { 'content-type': type, 'metadata-flavor': 'Google' }).end(text);
  }

  #answer(
    method: string,
    url: URL,
    { headers }: IncomingMessage,
    body: Buffer,
  ): [status: number, reply: unknown] {
    if (url.pathname.startsWith('/computeMetadata/')) return this.#metadata(url, headers);
    if (url.pathname.startsWith('/upload/')) {
      this.uploadHeaders.push(headers);
      this.uploads.set(url.pathname.slice(8), body);
      return [200, ''];
    }
    if (headers.authorization !== `Bearer ${this.accessToken}`)
      return [401, { error: { code: 401, status: 'UNAUTHENTICATED', message: 'invalid credentials' } }];
    if (url.pathname.endsWith('entries:list')) return [200, this.#entries(JSON.parse(body.toString()))];
    const [resource = '', verb] = url.pathname.slice('/v2/'.length).split(':');
    const policy = this.policies.get(resource) ?? { version: 1, etag: 'e0' };
    if (method === 'GET' && verb === 'getIamPolicy') return [200, policy];
    const wanted = (JSON.parse(body.toString()) as { policy: Json }).policy;
    if (wanted['etag'] !== policy['etag'])
      return [409, { error: { code: 409, status: 'ABORTED', message: 'There were concurrent changes.' } }];
    const etag = `e${Number(String(policy['etag']).slice(1)) + 1}`;
    this.policies.set(resource, { ...wanted, etag });
    return [200, { ...wanted, etag }];
  }

  #metadata(url: URL, headers: IncomingMessage['headers']): [number, unknown] {
    if (headers['metadata-flavor'] !== 'Google') return [403, 'Missing Metadata-Flavor'];
    if (url.pathname.endsWith('/project/project-id')) return [200, 'test-project'];
    if (url.pathname.endsWith('/default/token'))
      return [200, { access_token: this.accessToken, expires_in: 3600, token_type: 'Bearer' }];
    if (url.pathname.endsWith('/default/identity')) {
      const token = idToken(url.searchParams.get('audience') ?? '', this.identityTokens.length);
      this.identityTokens.push(token);
      return [200, token];
    }
    return [404, 'not found'];
  }

  #entries({ filter = '', orderBy = '', pageSize = 100, pageToken = 0 }: Json): Json {
    const [, service] = /service_name="([^"]+)"/.exec(String(filter)) ?? [];
    const [, since] = /timestamp>="([^"]+)"/.exec(String(filter)) ?? [];
    const found = this.logs.filter(
      (one) => (one['labels'] as Json)['service'] === service && String(one['timestamp']) >= (since ?? ''),
    );
    const ordered = String(orderBy).includes('desc') ? found.reverse() : found;
    const from = Number(pageToken);
    const to = from + Math.min(Number(pageSize), this.entriesPerPage);
    return {
      entries: ordered.slice(from, to),
      ...(to < ordered.length && { nextPageToken: String(to) }),
    };
  }

  async #call(
    name: string,
    incoming: IncomingMessage,
    rawBody: Buffer,
    outgoing: ServerResponse,
  ): Promise<void> {
    const refuse = (status: number, text: string) =>
      void outgoing.writeHead(status).end(`<html>${text}</html>`);
    const fn = this.#fake.functionNamed(name);
    if (fn === undefined) return refuse(404, 'Page not found');
    const token = (incoming.headers.authorization ?? '').replace('Bearer ', '');
    if (this.revoked.has(token) || audienceOf(token) !== `${this.publicUrl ?? this.url}/run/${name}`)
      return refuse(401, 'The access token could not be verified');
    const callId = incoming.headers['x-faas-call-id'];
    if (typeof callId === 'string') {
      this.executions.set(callId, (this.executions.get(callId) ?? 0) + 1);
      this.logs.push({
        insertId: `log-${this.logs.length}`,
        timestamp: new Date().toISOString(),
        textPayload: `ran ${callId}`,
        logName: 'projects/test-project/logs/run.googleapis.com%2Fstdout',
        labels: { service: name },
      });
    }
    const instance = this.#instance(name);
    instance.isBusy = true;
    try {
      await instance.main(Object.assign(incoming, { rawBody }), outgoing);
    } finally {
      instance.isBusy = false;
    }
  }

  /** An instance works on one request at a time; a new one is cold. */
  #instance(name: string): Instance {
    const all = this.#instances.get(name) ?? [];
    this.#instances.set(name, all);
    const free = all.find((one) => !one.isBusy);
    if (free !== undefined) return free;
    const run = jobsRunner(this.#jobs, 'gcp-functions');
    const load = async () => {
      if (this.loadError !== undefined) throw this.loadError;
      return run;
    };
    const fresh = { main: cloudFunction(load), isBusy: false };
    all.push(fresh);
    return fresh;
  }
}

function nameOf(method: string, path: string): string {
  if (path.startsWith('/computeMetadata/')) return `metadata ${path.split('/').at(-1)}`;
  if (path.startsWith('/upload/')) return 'PUT upload';
  if (path.startsWith('/run/')) return 'POST run';
  if (path.endsWith(':getIamPolicy')) return 'GET policy';
  if (path.endsWith(':setIamPolicy')) return 'POST policy';
  return `${method} entries`;
}

/** Shaped as Google's: three parts, claims in the middle. Nobody checks the signature here. */
function idToken(aud: string, n: number): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 3600;
  return `${part({ alg: 'RS256' })}.${part({ aud, exp, iss: 'https://accounts.google.com', n })}.fake`;
}

export function audienceOf(token: string): string | undefined {
  try {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).aud;
  } catch {
    return undefined;
  }
}
