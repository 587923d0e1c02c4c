/**
 * fakeE2e: `/faas/api/v1` of E2E's design documents on loopback, with its states and refusals. It exists because the
 * documents describe no server that could be run, and no server shows on demand what goes wrong between two requests.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Json = Record<string, unknown>;

const OWN_NAMESPACE = 'e2e-faas-1-dl';

export interface E2eFault {
  /** `POST /functions`, `PUT /functions/{id}/config`, … */
  readonly operation: string;
  readonly status?: number;
  readonly body?: string;
  /** `before`: nothing is done, `after`: it is done and the reply is lost. */
  readonly reset?: 'before' | 'after';
}

export class FakeE2e {
  url = '';
  readonly functions = new Map<string, Json>();
  /** By name; those outside the account's own namespace by `name.namespace`. */
  readonly secrets = new Map<string, string>();
  readonly requests: {
    readonly operation: string;
    readonly body: Json;
    readonly target: string;
    readonly auth: string | undefined;
  }[] = [];
  /** Reads that see a change under way. */
  settleReads = 1;
  /** Name -> why it does not run. */
  readonly broken = new Map<string, string>();
  readonly faults: E2eFault[] = [];
  /** Hears of each request before it is answered. */
  onRequest: (operation: string) => void = () => {};
  /** Says the hash of the archive, not the one it was given. */
  hashesArchives = false;
  readonly #server = createServer((incoming, outgoing) => void this.#serve(incoming, outgoing));

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/faas/api/v1`;
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  operations(): string[] {
    return this.requests.map(({ operation }) => operation);
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const { method = '', url: target = '', headers } = incoming;
    const { pathname, searchParams } = new URL(target, 'http://fake');
    const path = pathname.replace('/faas/api/v1', '');
    const [, kind = '', id = '', rest = ''] = path.split('/');
    const shape = `/${kind}${id === '' ? '' : '/{id}'}${rest === '' ? '' : `/${rest}`}`;
    const operation = `${method} ${shape}`;
    const body = (chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString())) as Json;
    this.requests.push({ operation, body, target, auth: headers.authorization });
    this.onRequest(operation);
    const index = this.faults.findIndex((fault) => fault.operation === operation);
    const fault = index < 0 ? undefined : this.faults.splice(index, 1)[0];
    if (fault?.reset === 'before') return void incoming.socket.resetAndDestroy();
    const [status, reply] =
      fault?.status === undefined
        ? this.#answer(operation, decodeURIComponent(id), body, searchParams.get('namespace'))
        : [fault.status, fault.body ?? { error: 'scripted' }];
    if (fault?.reset === 'after') return void incoming.socket.resetAndDestroy();
    outgoing.writeHead(status, { 'content-type': 'application/json' });
    outgoing.end(typeof reply === 'string' ? reply : JSON.stringify(reply));
  }

  #answer(
    operation: string,
    id: string,
    body: Json,
    namespace: string | null,
  ): [status: number, reply: unknown] {
    const found = this.functions.get(id);
    switch (operation) {
      case 'POST /functions':
        return this.#create(body);
      case 'GET /functions':
        return [200, [...this.functions.values()].map(shown)];
      case 'GET /functions/{id}':
        return found === undefined ? [404, { error: 'no such function' }] : [200, shown(this.#read(found))];
      case 'DELETE /functions/{id}':
        return this.functions.delete(id) ? [200, {}] : [404, { error: 'no such function' }];
      case 'PUT /functions/{id}/code':
      case 'PUT /functions/{id}/config':
      case 'PUT /functions/{id}/environment':
      case 'PUT /functions/{id}/metadata':
        return found === undefined
          ? [404, { error: 'no such function' }]
          : this.#update(found, operation, body);
      case 'POST /secrets':
        if (this.secrets.has(secretKey(body['name'], body['namespace'])))
          return [409, { error: 'there is a secret of this name' }];
        this.secrets.set(secretKey(body['name'], body['namespace']), String(body['value']));
        return [201, { id: body['name'], name: body['name'], created_at: new Date().toISOString() }];
      case 'PUT /secrets/{id}':
        this.secrets.set(secretKey(id, body['namespace']), String(body['value']));
        return [200, { id, name: id }];
      case 'GET /secrets':
        return [200, this.#secretsIn(namespace ?? OWN_NAMESPACE)];
      case 'DELETE /secrets/{id}': {
        const users = [...this.functions.values()].filter((one) => (one['secrets'] as string[]).includes(id));
        if (users.length > 0)
          return [409, { error: `used by ${users.map((one) => one['name']).join(', ')}` }];
        return this.secrets.delete(secretKey(id, namespace)) ? [200, {}] : [404, { error: 'no such secret' }];
      }
      case 'GET /runtimes':
        return [
          200,
          { runtimes: [{ name: 'python3.11', version: '3.11', templates: ['http'], hardware: ['cpu'] }] },
        ];
      default:
        return [404, { error: `there is no ${operation}` }];
    }
  }

  #secretsIn(namespace: string): Json[] {
    return [...this.secrets.keys()]
      .map((key) => key.split('.'))
      .filter(([, where = OWN_NAMESPACE]) => where === namespace)
      .map(([name]) => ({ name, namespace }));
  }

  #create(body: Json): [number, unknown] {
    if ([...this.functions.values()].some((one) => one['name'] === body['name'])) {
      return [409, { error: `a function ${String(body['name'])} is there` }];
    }
    const missing = this.#missingSecret(body['secrets']);
    if (missing !== undefined) return [422, { error: `there is no secret ${missing}` }];
    const id = randomUUID();
    const now = new Date().toISOString();
    const { code_archive: _, ...kept } = body;
    const made = {
      ...kept,
      ...this.#codeHash(body),
      id,
      namespace: OWN_NAMESPACE,
      version: 'v1.0.0',
      created_at: now,
      updated_at: now,
      reads: 0,
    };
    this.functions.set(id, made);
    return [201, { id, name: body['name'], namespace: made.namespace, status: 'Deploying', created_at: now }];
  }

  #update(found: Json, operation: string, body: Json): [number, unknown] {
    const missing = this.#missingSecret(body['secrets']);
    if (missing !== undefined) return [422, { error: `there is no secret ${missing}` }];
    const { code_archive: _, ...kept } = body;
    const fields = operation.endsWith('/config') ? { config: kept } : { ...kept, ...this.#codeHash(body) };
    this.functions.set(String(found['id']), {
      ...found,
      ...fields,
      reads: 0,
      updated_at: new Date().toISOString(),
    });
    return [200, {}];
  }

  #read(found: Json): Json {
    const reads = Number(found['reads']) + 1;
    const reason = this.broken.get(String(found['name']));
    const status = reads <= this.settleReads ? 'Deploying' : reason === undefined ? 'Running' : 'Failed';
    const name = String(found['name']);
    const url = `https://api.example/faas/function/v1/${name}.${String(found['namespace'])}/`;
    const read = { ...found, reads, status, invoke_url: url, ...(reason && { error_message: reason }) };
    this.functions.set(String(found['id']), { ...found, reads });
    return read;
  }

  #codeHash({ code_archive: archive }: Json): Json {
    if (!this.hashesArchives || archive === undefined) return {};
    return { code_sha256: createHash('sha256').update(String(archive)).digest('hex') };
  }

  #missingSecret(names: unknown): string | undefined {
    return Array.isArray(names) ? names.find((name) => !this.secrets.has(name)) : undefined;
  }
}

function secretKey(name: unknown, namespace: unknown): string {
  return namespace === undefined || namespace === null || namespace === OWN_NAMESPACE
    ? String(name)
    : `${String(name)}.${String(namespace)}`;
}

function shown({ reads: _, code_archive: __, ...rest }: Json): Json {
  return rest;
}

export function fakeE2e(): Promise<FakeE2e> {
  return new FakeE2e().open();
}
