/**
 * fakeE2eCloud: both of E2E's APIs on loopback, with their ids, states, envelopes and refusals. The account's API
 * follows the client and the fixtures of E2E's own Terraform provider, the platform's the design documents.
 */
import { createHash, randomUUID } from 'node:crypto';
import {
  type FakeReply,
  type FakeRequest,
  FakeServer,
  type Json,
  type ServerOptions,
} from './openfaas-server.js';

export const API_KEY = 'fake-e2e-api-key-0123';
export const AUTH_TOKEN = 'fake-e2e-auth-token-0123';
export const PROJECT = '4711';
export const NAMESPACE = 'e2e-faas-20235-dl';

export interface CloudOptions extends ServerOptions {
  /** Reads of a new or changed function that see it on its way. Default 1. */
  readonly settleReads?: number;
  /** What a running function is called. Default `Running`. */
  readonly runningWord?: string;
  /** Reads that still see a deleted function, as `Deleting`. Default 0. */
  readonly deletingReads?: number;
  /** The account's functions have environments that are never read back. */
  readonly hidesEnvironment?: boolean;
}

const ACCOUNT = '/myaccount/api/v1';
const PLATFORM = '/faas/api/v1';

export class FakeE2eCloud extends FakeServer {
  /** By id, as either API keeps them. */
  readonly functions = new Map<string, Json>();
  readonly secrets = new Map<string, string>();
  readonly namespaces = new Set<string>();
  /** Name -> why it does not run. */
  readonly broken = new Map<string, string>();
  readonly #options: CloudOptions;
  #ids = 100;

  constructor(options: CloudOptions = {}) {
    super(options);
    this.#options = options;
  }

  get accountUrl(): string {
    return `${this.origin}${ACCOUNT}`;
  }

  get platformUrl(): string {
    return `${this.origin}${PLATFORM}`;
  }

  protected nameOf(method: string, { pathname }: URL): string {
    if (pathname.startsWith('/faas/function/v1/') || pathname.startsWith('/at/')) return `${method} call`;
    const steps = pathname.replace(ACCOUNT, '').replace(PLATFORM, '').split('/');
    if (pathname.startsWith(ACCOUNT)) return `${method} ${steps.slice(1, 3).join('/')}`;
    const [, kind = '', id, part] = steps;
    const one = id === undefined ? kind : kind.slice(0, -1);
    return `${method} ${one}${part === undefined ? '' : `/${part}`}`;
  }

  protected async answer(operation: string, request: FakeRequest): Promise<FakeReply> {
    const { url, headers } = request;
    if (operation === 'POST call') return this.#call(request);
    const isKnown =
      headers.authorization === `Bearer ${AUTH_TOKEN}` && url.searchParams.get('apikey') === API_KEY;
    const isAccount = url.pathname.startsWith(ACCOUNT);
    if (!isKnown)
      return {
        status: 401,
        body: isAccount ? envelope(401, null, 'Invalid token') : { error: 'unauthorized' },
      };
    if (!isAccount) return this.#platform(operation, request);
    if (url.searchParams.get('project_id') !== PROJECT || !url.searchParams.get('location'))
      return { status: 400, body: envelope(400, null, 'project_id and location are required') };
    return this.#account(operation, request);
  }

  #account(operation: string, { url, body }: FakeRequest): FakeReply {
    const id = decodeURIComponent(url.pathname.split('/')[6] ?? '');
    const found = this.functions.get(id);
    switch (operation) {
      case 'POST faas/namespace':
        this.namespaces.add(String(body['name']));
        return { status: 200, body: envelope(200, { name: body['name'] }) };
      case 'DELETE faas/namespace':
        this.namespaces.delete(url.searchParams.get('namespace') ?? '');
        return { status: 204 };
      case 'POST faas/functions': {
        if (this.#named(body['name']) !== undefined)
          return { status: 409, body: envelope(409, null, 'A function of this name exists') };
        if (!this.namespaces.has(String(body['namespace'])))
          return { status: 400, body: envelope(400, null, 'Unknown namespace') };
        this.#ids += 1;
        const made = this.#keep({ ...body, id: this.#ids, building: 'Building' });
        return { status: 201, body: envelope(201, this.#shownByAccount(made)) };
      }
      case 'GET faas/function':
        if (found === undefined) return { status: 404, body: envelope(404, null, 'Not found') };
        return { status: 200, body: envelope(200, this.#shownByAccount(this.#read(found))) };
      case 'PUT faas/function':
        if (found === undefined) return { status: 404, body: envelope(404, null, 'Not found') };
        this.#keep({ ...found, ...body, building: 'Updating' });
        return { status: 200, body: envelope(200, {}) };
      case 'DELETE faas/function':
        return this.#delete(id) ? { status: 204 } : { status: 404, body: envelope(404, null, 'Not found') };
      case 'GET faas/logs':
        return { status: 200, body: envelope(200, found?.['logs'] ?? []) };
      default:
        return { status: 404, body: envelope(404, null, `There is no ${operation}`) };
    }
  }

  #platform(operation: string, { url, body }: FakeRequest): FakeReply {
    const id = decodeURIComponent(url.pathname.split('/')[5] ?? '');
    const found = this.functions.get(id);
    const missing = { status: 404, body: { error: 'no such function' } };
    switch (operation) {
      case 'POST functions':
        return this.#create(body);
      case 'GET functions':
        return {
          status: 200,
          body: { functions: [...this.functions.values()].map((one) => this.#shown(one)) },
        };
      case 'GET function':
        return found === undefined ? missing : { status: 200, body: this.#shown(this.#read(found)) };
      case 'DELETE function':
        return this.#delete(id) ? { status: 200, body: {} } : missing;
      case 'PUT function/code':
      case 'PUT function/config':
      case 'PUT function/environment':
      case 'PUT function/metadata':
        return found === undefined ? missing : this.#update(found, operation, body);
      case 'POST function/scale':
        if (found === undefined) return missing;
        this.#keep({ ...found, replicas: body['replicas'] });
        return { status: 200, body: {} };
      case 'GET function/logs':
        return found === undefined ? missing : { status: 200, body: { logs: found['logs'] ?? [] } };
      default:
        return this.#secret(operation, id, body);
    }
  }

  #create(body: Json): FakeReply {
    if (this.#named(body['name']) !== undefined)
      return { status: 409, body: { error: `a function ${String(body['name'])} is there` } };
    const missing = this.#missingSecret(body);
    if (missing !== undefined) return { status: 422, body: { error: `there is no secret ${missing}` } };
    const { code_archive: archive, ...kept } = body;
    const made = this.#keep({
      namespace: NAMESPACE,
      ...kept,
      archive,
      id: randomUUID(),
      building: 'Deploying',
    });
    const { id, name, namespace, created_at } = made;
    return { status: 201, body: { id, name, namespace, status: 'Deploying', created_at } };
  }

  #update(found: Json, operation: string, body: Json): FakeReply {
    const missing = this.#missingSecret(body);
    if (missing !== undefined) return { status: 422, body: { error: `there is no secret ${missing}` } };
    const { code_archive: archive, ...kept } = body;
    const group = operation.split('/')[1];
    const fields = group === 'config' ? { config: { ...(found['config'] as Json), ...kept } } : kept;
    this.#keep({ ...found, ...fields, ...(archive !== undefined && { archive }), building: 'Updating' });
    return { status: 200, body: {} };
  }

  #secret(operation: string, name: string, body: Json): FakeReply {
    const given = String(body['name'] ?? name);
    switch (operation) {
      case 'GET secrets':
        return { status: 200, body: { secrets: [...this.secrets.keys()].map((one) => ({ name: one })) } };
      case 'POST secrets':
        if (this.secrets.has(given))
          return { status: 409, body: { error: 'there is a secret of this name' } };
        this.secrets.set(given, String(body['value']));
        return { status: 201, body: { name: given } };
      case 'PUT secret':
        this.secrets.set(name, String(body['value']));
        return { status: 200, body: {} };
      case 'DELETE secret': {
        const users = [...this.functions.values()].filter((one) =>
          (one['secrets'] as string[])?.includes(name),
        );
        if (users.length > 0)
          return { status: 409, body: { error: `used by ${users.map((one) => one['name']).join(', ')}` } };
        return this.secrets.delete(name)
          ? { status: 200, body: {} }
          : { status: 404, body: { error: 'no such secret' } };
      }
      default:
        return { status: 404, body: { error: `there is no ${operation}` } };
    }
  }

  async #call(request: FakeRequest): Promise<FakeReply> {
    const name = decodeURIComponent(request.url.pathname.split('/').at(-2) ?? '').split('.')[0];
    const found = this.#named(name);
    if (found === undefined) return { status: 404, body: 'not found\n' };
    const reply = await this.run(request);
    const message = `ran ${String(request.headers['x-faas-call-id'])}`;
    const logs = [...((found['logs'] as Json[]) ?? []), { message, timestamp: new Date().toISOString() }];
    const now = this.functions.get(String(found['id']));
    if (now !== undefined) this.functions.set(String(found['id']), { ...now, logs });
    return reply;
  }

  #keep(fields: Json): Json {
    const now = new Date().toISOString();
    const kept: Json = { created_at: now, ...fields, updated_at: now, reads: 0 };
    this.functions.set(String(kept['id']), kept);
    return kept;
  }

  #delete(id: string): boolean {
    const found = this.functions.get(id);
    const { deletingReads = 0 } = this.#options;
    if (found === undefined || deletingReads === 0) return this.functions.delete(id);
    this.functions.set(id, { ...found, leaving: deletingReads });
    return true;
  }

  #read(found: Json): Json {
    if (found['leaving'] === 1) this.functions.delete(String(found['id']));
    else if (found['leaving'] !== undefined) {
      const leaving = { ...found, leaving: Number(found['leaving']) - 1 };
      this.functions.set(String(found['id']), leaving);
    }
    if (found['leaving'] !== undefined) return found;
    const read = { ...found, reads: Number(found['reads']) + 1 };
    this.functions.set(String(found['id']), read);
    return read;
  }

  #stateOf({ name, reads, building, replicas, leaving }: Json): Json {
    if (leaving !== undefined) return { status: 'Deleting' };
    const { settleReads = 1, runningWord = 'Running' } = this.#options;
    if (Number(reads) <= settleReads) return { status: building };
    const reason = this.broken.get(String(name));
    if (reason !== undefined) return { status: 'Failed', error_message: reason };
    return { status: replicas === 0 ? 'Idle' : runningWord };
  }

  #shown(found: Json): Json {
    const { archive, reads: _, building: __, logs: ___, elsewhere, ...rest } = found;
    const url =
      elsewhere ?? `${this.origin}/faas/function/v1/${String(found['name'])}.${String(found['namespace'])}/`;
    const own = createHash('sha256')
      .update(Buffer.from(String(archive), 'base64'))
      .digest('hex');
    return { code_sha256: own, ...rest, ...this.#stateOf(found), invoke_url: url, version: 'v1' };
  }

  #shownByAccount(found: Json): Json {
    const { reads: _, building: __, logs: ___, code_inline: ____, environment, elsewhere, ...rest } = found;
    const { status } = this.#stateOf(found);
    const url = elsewhere ?? `${this.origin}/at/${String(found['name'])}/`;
    return { ...rest, ...(!this.#options.hidesEnvironment && { environment }), status, endpoint_url: url };
  }

  #named(name: unknown): Json | undefined {
    return [...this.functions.values()].find((one) => one['name'] === name);
  }

  #missingSecret({ secrets }: Json): string | undefined {
    return Array.isArray(secrets) ? secrets.find((name) => !this.secrets.has(name)) : undefined;
  }
}

function envelope(code: number, data: unknown, message = 'Success'): Json {
  return { code, message, data, errors: code >= 400 ? message : false };
}

export function fakeE2eCloud(options: CloudOptions = {}): Promise<FakeE2eCloud> {
  return new FakeE2eCloud(options).open();
}
