/**
 * fakeAzure: the management API, each app's deployment service and front door, and the log store, on one loopback port
 * over TLS. Microsoft publishes no emulator of them. In this process its hosts have names as Azure gives them, and a
 * dispatcher that knows those names and no others; child processes reach it as localhost (`loopback`).
 */
import { randomUUID } from 'node:crypto';
import { createServer as createPlain, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Agent, buildConnector } from 'undici';
import type { AnyJob } from '../../src/core/define-job.js';
import type { TokenCredential } from '../../src/executors/azure-functions/index.js';
import { type HttpEntry, httpEntry } from '../../src/executors/shared/entry/http-entry.js';
import { type CallRunner, jobsRunner } from '../../src/executors/shared/entry/runner.js';
import { nameOf } from './azure-operations.js';
import { type Answer, error, FakeResources, type FakeSite, type Json } from './azure-resources.js';
import { cert, key } from './loopback-tls.js';

export { SUBSCRIPTION } from './azure-resources.js';

export interface FakeFault {
  /** `PUT site`, `POST publish`, `POST call`, … */
  readonly operation: string;
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /**
   * `upload`: before the request is whole, `before`: nothing is done, `after`: it is done and the reply is lost,
   * `reply`: it is done and half of the reply is sent.
   */
  readonly reset?: 'upload' | 'before' | 'after' | 'reply';
  readonly hang?: boolean;
  readonly run?: () => void;
}

export interface ObservedExchange {
  readonly operation: string;
  readonly method: string;
  readonly host: string;
  readonly target: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly status: number;
  readonly reply: unknown;
}

export interface FakeOptions {
  readonly jobs?: readonly AnyJob[];
  /** Everything at `https://localhost:PORT`, for one app and child processes. */
  readonly loopback?: boolean;
  readonly observe?: (exchange: ObservedExchange) => void;
}

export const TOKEN = 'fake-arm-token-0123456789';
export const APPLICATION_ID = 'a1b2c3d4-0000-1111-2222-333344445555';
export const INSIGHTS = `InstrumentationKey=00000000;ApplicationId=${APPLICATION_ID}`;
/** An instance in Azure is not there at once; the fake's are, and never end. */
interface Instance {
  readonly entry: HttpEntry;
  busy: boolean;
}

export class FakeAzure {
  port = 0;
  /** Calls over plain HTTP, told apart by their key: for tests between the client and TLS. */
  plainUrl = '';
  readonly arm = new FakeResources();
  readonly operations: string[] = [];
  readonly exchanges: ObservedExchange[] = [];
  readonly executions = new Map<string, number>();
  readonly faults: FakeFault[] = [];
  /** Tokens that are good, each for every audience. */
  readonly tokens = new Set([TOKEN]);
  /** What new instances fail with while they load the package. */
  loadError: Error | undefined;
  /** Audience -> token; asked for by `credential`. */
  tokenFor = (_scope: string): string => TOKEN;
  readonly tokenRequests: string[] = [];
  /** Polls until a deployment is done, and what it ends with. */
  deploymentReads = 1;
  deploymentEnd: Json = { status: 4, complete: true };
  /** Polls that find nothing yet. */
  unknownDeploymentReads = 0;
  readonly logLines: { readonly app: string; readonly time: string; readonly message: string }[] = [];
  readonly #options: FakeOptions;
  readonly #run: CallRunner;
  readonly #instances = new Map<string, Instance[]>();
  readonly #deployments = new Map<string, { reads: number; readonly site: FakeSite; readonly zip: Buffer }>();
  readonly #handle = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    this.#serve(incoming, outgoing).catch((failure: unknown) => {
      console.error('fakeAzure failed', failure);
      outgoing.destroy();
    });
  };
  readonly #server = createServer({ cert, key }, this.#handle);
  readonly #plain = createPlain(this.#handle);
  #agent: Agent | undefined;

  constructor(options: FakeOptions) {
    this.#options = options;
    const run = jobsRunner(options.jobs ?? [], 'azure-functions');
    this.#run = (call) => {
      this.executions.set(call.callId, (this.executions.get(call.callId) ?? 0) + 1);
      this.logLines.push({ app: '', time: new Date().toISOString(), message: `ran ${call.callId}` });
      return run(call);
    };
  }

  async open(): Promise<this> {
    for (const server of [this.#server, this.#plain])
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.port = (this.#server.address() as AddressInfo).port;
    this.plainUrl = `http://127.0.0.1:${(this.#plain.address() as AddressInfo).port}`;
    if (this.#options.loopback) {
      const host = `localhost:${this.port}`;
      this.arm.armHost = host;
      this.arm.hostsOf = () => [host, host];
    }
    return this;
  }

  /** Where the management API is, for the option `endpoint`. */
  get url(): string {
    return `https://localhost:${this.port}`;
  }

  /** Knows the hosts of Azure that there are, and no others. */
  get dispatcher(): Agent {
    if (this.#agent === undefined) {
      const connect = buildConnector({ ca: cert });
      this.#agent = new Agent({
        connect: (options, callback) => {
          // Servers beside the fake, with its certificate.
          if (options.hostname === 'localhost') return connect(options, callback);
          const [hostname, port] = ['127.0.0.1', String(this.port)];
          if (this.#knows(options.hostname))
            return connect({ ...options, hostname, port, host: hostname, servername: 'localhost' }, callback);
          const message = `getaddrinfo ENOTFOUND ${options.hostname}`;
          callback(Object.assign(new Error(message), { code: 'ENOTFOUND' }), null);
        },
      });
    }
    return this.#agent;
  }

  get credential(): TokenCredential {
    return {
      getToken: async (scopes) => {
        const [scope = ''] = [scopes].flat();
        this.tokenRequests.push(scope);
        return { token: this.tokenFor(scope), expiresOnTimestamp: Date.now() + 3_600_000 };
      },
    };
  }

  /** The next requests of an operation meet the fault. */
  fault(operation: string, fault: Omit<FakeFault, 'operation'>, times = 1): void {
    for (let n = 0; n < times; n += 1) this.faults.push({ operation, ...fault });
  }

  /** What changed anything. */
  writes(): string[] {
    return this.operations.filter((one) => /^(PUT|PATCH|DELETE) |^POST (publish|zipdeploy|sync)/.test(one));
  }

  /** Every URL, header and body that came: where a secret might be. */
  urls(): string[] {
    return this.exchanges.map(({ method, host, target }) => `${method} https://${host}${target}`);
  }

  async close(): Promise<void> {
    await this.#agent?.close();
    for (const server of [this.#server, this.#plain]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #knows(host: string): boolean {
    const named = [...this.arm.sites.values()].flatMap((site) => [site.host, site.scmHost]);
    return ['management.azure.com', 'api.applicationinsights.io', ...named].includes(host);
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = '', url: target = '', headers } = incoming;
    const host = headers.host ?? '';
    const url = new URL(target, `https://${host}`);
    const steps = url.pathname.split('/').slice(1).map(decodeURIComponent);
    const operation = `${method} ${nameOf(steps)}`;
    this.operations.push(operation);
    const index = this.faults.findIndex((one) => one.operation === operation);
    const fault = index < 0 ? undefined : this.faults.splice(index, 1)[0];
    if (fault?.reset === 'upload') {
      fault.run?.();
      return void incoming.socket.destroy();
    }
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
    } catch {
      return; // the caller went away before its request was complete: nothing runs
    }
    const body = Buffer.concat(chunks);
    fault?.run?.();
    if (fault?.hang) return;
    if (fault?.reset === 'before') return void incoming.socket.destroy();
    const [status, reply, more] =
      fault?.status === undefined
        ? await this.#answer(method, steps, url, host, headers, body)
        : ([fault.status, fault.body ?? { error: { code: 'Scripted', message: 'scripted' } }] as const);
    const exchange = { operation, method, host, target, headers, body, status, reply };
    this.exchanges.push(exchange);
    if (fault?.reset === 'after') return void incoming.socket.destroy();
    this.#options.observe?.(exchange);
    const isRaw = typeof reply === 'string' || Buffer.isBuffer(reply);
    const bytes = reply === undefined ? '' : isRaw ? reply : JSON.stringify(reply);
    const type = isRaw ? {} : { 'content-type': 'application/json' };
    const all = { ...type, ...more, ...fault?.headers };
    if (fault?.reset !== 'reply') return void outgoing.writeHead(status, all).end(bytes);
    const length = Buffer.byteLength(bytes);
    outgoing.writeHead(status, { ...all, 'content-length': length + 1 });
    outgoing.write(Buffer.from(bytes).subarray(0, length / 2), () => incoming.socket.destroy());
  }

  async #answer(
    method: string,
    steps: readonly string[],
    url: URL,
    host: string,
    headers: IncomingMessage['headers'],
    body: Buffer,
  ): Promise<Answer> {
    if (steps[1] === 'job') return this.#call(host, headers, body);
    const token = String(headers.authorization).replace('Bearer ', '');
    if (!this.tokens.has(token)) return error(401, 'InvalidAuthenticationToken', 'The token is not valid.');
    if (steps[0] === 'subscriptions' && host === this.arm.armHost) {
      const json = body.length === 0 ? undefined : (JSON.parse(body.toString()) as Json);
      const answer = this.arm.answer(method, steps, url.searchParams, json);
      if (steps.at(-1) === 'syncfunctiontriggers') await this.#readPackage(steps[7] ?? '');
      return answer;
    }
    if (steps[0] === 'v1') return this.#query(body);
    const site = [...this.arm.sites.values()].find((one) => one.scmHost === host);
    if (site === undefined) return [404, '<html><title>404 Web Site not found.</title></html>'];
    return this.#scm(method, steps, site, headers, body);
  }

  /** As hosts of the plan `consumption` do: by the address in the settings, without a login. */
  async #readPackage(name: string): Promise<void> {
    const site = this.arm.sites.get(name);
    const url = site?.settings['WEBSITE_RUN_FROM_PACKAGE'] ?? '';
    if (site === undefined || !/^https?:/.test(url)) return;
    const reply = await fetch(url);
    if (reply.ok) site.zip = Buffer.from(await reply.arrayBuffer());
  }

  #scm(
    method: string,
    steps: readonly string[],
    site: FakeSite,
    headers: IncomingMessage['headers'],
    body: Buffer,
  ): Answer {
    if (method === 'POST') {
      if (headers['content-type'] !== 'application/zip') return [415, 'Unsupported Media Type'];
      const id = randomUUID();
      this.#deployments.set(id, { reads: this.deploymentReads, site, zip: body });
      if (steps[1] === 'publish') return [202, JSON.stringify(id)];
      return [202, undefined, { location: `https://${site.scmHost}/api/deployments/${id}` }];
    }
    if (this.unknownDeploymentReads-- > 0) return [404, ''];
    const id = steps[2] === 'latest' ? [...this.#deployments.keys()].at(-1) : steps[2];
    const deployment = this.#deployments.get(id ?? '');
    if (deployment === undefined) return [404, ''];
    if (deployment.reads-- > 0) return [200, { id, status: 1, status_text: 'building', complete: false }];
    // What makes a deployment on Flex Consumption fail, as its documentation has it.
    const isFlex = site.resource.properties['functionAppConfig'] !== undefined;
    const wrong = Object.keys(site.settings).find((name) => /^(FUNCTIONS_|WEBSITE_RUN_FROM)/.test(name));
    if (isFlex && wrong !== undefined)
      return [200, { id, status: 3, status_text: `${wrong} is not supported`, complete: true }];
    if (this.deploymentEnd['status'] === 4) site.zip = deployment.zip;
    return [200, { id, ...this.deploymentEnd }];
  }

  /** The front door of an app, and the Functions host behind it. */
  async #call(host: string, headers: IncomingMessage['headers'], body: Buffer): Promise<Answer> {
    const sites = [...this.arm.sites.values()];
    const given = headers['x-functions-key'];
    const byName = sites.find((one) => one.host === host && !this.#options.loopback);
    const site = byName ?? sites.find((one) => one.functionKey === given);
    if (site === undefined) return [404, '<html><title>404 Web Site not found.</title></html>'];
    if (given !== site.functionKey) return [401, ''];
    if (site.zip === undefined) return [404, ''];
    const name = String(site.resource['name']);
    const pool = this.#instances.get(name) ?? [];
    this.#instances.set(name, pool);
    let instance = pool.find((one) => !one.busy);
    if (instance === undefined) {
      const run = async () => {
        if (this.loadError !== undefined) throw this.loadError;
        return this.#run;
      };
      instance = { entry: httpEntry(run), busy: false };
      pool.push(instance);
    }
    instance.busy = true;
    try {
      const reply = await instance.entry({ headers, body });
      return [reply.status, Buffer.from(reply.body), { ...reply.headers }];
    } finally {
      instance.busy = false;
    }
  }

  #query(body: Buffer): Answer {
    const { query } = JSON.parse(body.toString()) as { query: string };
    const since = /datetime\(([^)]*)\)/.exec(query)?.[1] ?? '';
    const [, named] = /contains_cs ("[^|]*")/.exec(query) ?? [];
    const [, than, time = '', id = ''] =
      /where timestamp ([<>]) datetime\(([^)]*)\) .*strcmp\(itemId, "([^"]*)"\)/.exec(query) ?? [];
    const sign = / desc,/.test(query) ? -1 : 1;
    const compare = (a: readonly string[], b: readonly string[]) =>
      sign * `${a[0]} ${a[2]}`.localeCompare(`${b[0]} ${b[2]}`, 'en', { numeric: false });
    const rows = this.logLines
      .map((line, index) => [line.time, line.message, String(index).padStart(6, '0')] as const)
      .filter((row) => row[0] >= since && (named === undefined || row[1].includes(JSON.parse(named))))
      .filter((row) => than === undefined || compare(row, [time, '', id]) > 0)
      .sort(compare)
      .slice(0, Number(/take (\d+)/.exec(query)?.[1]));
    return [200, { tables: [{ name: 'PrimaryResult', columns: [], rows }] }];
  }
}

export function fakeAzure(options: FakeOptions = {}): Promise<FakeAzure> {
  return new FakeAzure(options).open();
}
