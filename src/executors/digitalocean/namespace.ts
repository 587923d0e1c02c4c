/** The namespace: found, or made by the first deploy, in the account's API; it has the host and the key of OpenWhisk. */
import { FaasError } from '../../core/errors.js';
import { type Fields, isObject, parseObject, textOf } from '../shared/json.js';
import { Client, notExecuted, type Waits } from './client.js';
import { replyError } from './errors.js';
import { checkUrl, PROVIDER, type Settings } from './options.js';

export interface Namespace {
  /** Undefined where only `apiHost` is known. */
  readonly id: string | undefined;
  readonly client: Client;
}

export class Namespaces {
  readonly #settings: Settings;
  readonly control: Client | undefined;
  #current: Namespace | undefined;
  #finding: Promise<Namespace | undefined> | undefined;
  readonly #opened = new Set<Client>();

  constructor(settings: Settings) {
    this.#settings = settings;
    const { token, endpoint, apiHost, accessKey } = settings;
    this.control = token === undefined ? undefined : new Client(settings, endpoint, `Bearer ${token}`);
    if (apiHost !== undefined && accessKey !== undefined)
      this.#current = this.#open(undefined, apiHost, accessKey);
  }

  get known(): Namespace | undefined {
    return this.#current;
  }

  /** @throws {FaasError} what the API says; a list that fails is no empty list */
  async find(context: Waits): Promise<Namespace | undefined> {
    if (this.#current !== undefined) return this.#current;
    this.#finding ??= this.#look(context).finally(() => {
      this.#finding = undefined;
    });
    return this.#finding;
  }

  /** @throws {FaasError} NOT_FOUND when nothing was ever deployed there */
  async need(context: Waits, functionName: string): Promise<Namespace> {
    const found = await this.find(context);
    if (found !== undefined) return found;
    const { namespace, region } = this.#settings;
    throw new FaasError({
      code: 'NOT_FOUND',
      executed: 'no',
      provider: PROVIDER,
      functionName,
      message: `There is no namespace ${namespace} in ${region}. Deploy ${functionName} first.`,
    });
  }

  /** Found, or made. After a create without an answer it is looked for again before anyone creates another. */
  async findOrMake(context: Waits): Promise<Namespace> {
    const found = await this.find(context);
    if (found !== undefined) return found;
    const { namespace: label, region } = this.#settings;
    try {
      const made = await this.#control('POST', '/v2/functions/namespaces', context, { region, label });
      return this.#keep(made?.['namespace']);
    } catch (failure) {
      if (!FaasError.is(failure) || failure.status !== undefined) throw failure;
      const after = await this.find(context);
      if (after === undefined) throw failure;
      return after;
    }
  }

  /** After a 401: the key may have been rotated. Undefined when it is still the same, or cannot be asked for. */
  async renew(context: Waits): Promise<Namespace | undefined> {
    const before = this.#current;
    if (this.control === undefined || before?.id === undefined) return undefined;
    const reply = await this.#control('GET', `/v2/functions/namespaces/${before.id}`, context);
    return reply === undefined ? undefined : this.#keep(reply['namespace']);
  }

  /** A request to the account's API; undefined for 404 to GET and DELETE. */
  async ask(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    context: Waits,
    body?: object,
  ): Promise<Fields | undefined> {
    return this.#control(method, path, context, body);
  }

  async close(): Promise<void> {
    await Promise.all([this.control?.close(), ...[...this.#opened].map((client) => client.close())]);
  }

  async #look(context: Waits): Promise<Namespace | undefined> {
    const { namespace: label, region } = this.#settings;
    const list = (await this.#control('GET', '/v2/functions/namespaces', context))?.['namespaces'];
    const found = (Array.isArray(list) ? list : []).find(
      (one) => isObject(one) && one['label'] === label && one['region'] === region,
    );
    if (!isObject(found)) return undefined;
    if (textOf(found['key']) !== undefined) return this.#keep(found);
    // A list need not hold the keys.
    const whole = await this.#control(
      'GET',
      `/v2/functions/namespaces/${String(found['namespace'])}`,
      context,
    );
    return this.#keep(whole?.['namespace']);
  }

  #keep(fields: unknown): Namespace {
    const { api_host: host, namespace: id, uuid, key } = isObject(fields) ? fields : {};
    if (
      typeof host !== 'string' ||
      typeof id !== 'string' ||
      typeof uuid !== 'string' ||
      typeof key !== 'string'
    ) {
      const message = 'DigitalOcean described a namespace without api_host, uuid and key.';
      throw new FaasError({ code: 'PROTOCOL', executed: 'no', provider: PROVIDER, message });
    }
    this.#current = this.#open(id, checkUrl(host, 'api_host'), `${uuid}:${key}`);
    return this.#current;
  }

  #open(id: string | undefined, host: string, accessKey: string): Namespace {
    const client = new Client(this.#settings, host, `Basic ${Buffer.from(accessKey).toString('base64')}`);
    this.#opened.add(client);
    return { id, client };
  }

  async #control(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    context: Waits,
    body?: object,
  ): Promise<Fields | undefined> {
    const { control } = this;
    const what = 'the namespace';
    if (control === undefined) {
      const message = 'This needs `token`: with `apiHost` and `accessKey` only functions can be managed.';
      throw new FaasError({ code: 'CONFIG', executed: 'no', provider: PROVIDER, message });
    }
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const reply = await control.send(method, path, what, context, bytes).catch((failure: unknown) => {
      throw notExecuted(failure);
    });
    if (reply.status === 404 && method !== 'POST' && method !== 'PUT') return undefined;
    if (reply.status < 200 || reply.status > 299)
      throw replyError(reply, 'control', control.place(what), control.redact);
    return reply.body.length === 0 ? {} : (parseObject(reply.body) ?? {});
  }
}
