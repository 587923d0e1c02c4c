/** The namespace: found, or made by the first deploy, in the account's API; it has the host and the key of OpenWhisk. */
import { FaasError } from '../../core/errors.js';
import type { CallScope } from '../../core/scope.js';
import { type Fields, isObject, textOf } from '../shared/json.js';
import { Client, type Waits } from './client.js';
import { ControlApi } from './control-api.js';
import { checkUrl, config, PROVIDER, type Settings } from './options.js';
import { SingleFlight } from './single-flight.js';

export interface Namespace {
  /** Undefined where only `apiHost` is known. */
  readonly id: string | undefined;
  readonly accessKey: string;
  readonly client: Client;
}

const NAMESPACES = '/v2/functions/namespaces';

export class Namespaces {
  /** Undefined without a token. */
  readonly control: ControlApi | undefined;
  readonly #settings: Settings;
  #current: Namespace | undefined;
  readonly #finding = new SingleFlight<Namespace | undefined>();
  readonly #making = new SingleFlight<Namespace>();
  readonly #renewing = new SingleFlight<Namespace | undefined>();
  /** The current client, and replaced ones whose calls have not ended. */
  readonly #opened = new Set<Client>();

  constructor(settings: Settings) {
    this.#settings = settings;
    const { token, apiHost, accessKey } = settings;
    this.control = token === undefined ? undefined : new ControlApi(settings, token);
    if (apiHost !== undefined && accessKey !== undefined)
      this.#current = this.#open(undefined, apiHost, accessKey);
  }

  /** @throws {FaasError} what the API says; a list that fails is no empty list */
  async find(context: Waits): Promise<Namespace | undefined> {
    if (this.#current !== undefined) return this.#current;
    const control = this.#needControl();
    const look = async (scope: CallScope) => {
      const found = await this.#oldest(control, scope);
      return found === undefined ? undefined : this.#use(control, found, scope);
    };
    const work = (scope: CallScope) => control.untilItWorks(scope, () => look(scope));
    return this.#finding.join(work, control.place(), context);
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

  /** Found, or made. A create is never repeated before it was looked for what the one before has made. */
  async findOrMake(context: Waits): Promise<Namespace> {
    if (this.#current !== undefined) return this.#current;
    const control = this.#needControl();
    const { namespace: label, region } = this.#settings;
    const make = async (scope: CallScope) => {
      const found = await this.#oldest(control, scope);
      if (found !== undefined) return this.#use(control, found, scope);
      const made = await control.once('POST', NAMESPACES, scope, { region, label });
      // Another process may have made one at the same moment: all settle on the oldest.
      return this.#use(control, (await this.#oldest(control, scope)) ?? made?.['namespace'], scope);
    };
    const work = (scope: CallScope) => control.untilItWorks(scope, () => make(scope));
    return this.#making.join(work, control.place(), context);
  }

  /** After a 401: the namespace with the key of now. Undefined when it was refused with that key, or nobody can tell. */
  async renew(refused: Namespace, context: Waits): Promise<Namespace | undefined> {
    const { control } = this;
    const { id } = refused;
    // Someone else has been here since.
    if (this.#current !== refused) return this.#current;
    if (control === undefined || id === undefined) return undefined;
    const read = async (scope: CallScope) => {
      const now = await control.once('GET', `${NAMESPACES}/${encodeURIComponent(id)}`, scope);
      if (now !== undefined) return this.#keep(now['namespace']);
      // It was deleted: the next deploy finds another, or makes it.
      if (this.#current === refused) this.#replace(undefined);
      return undefined;
    };
    const now = await this.#renewing.join(read, control.place(), context);
    return now === refused ? undefined : now;
  }

  async close(): Promise<void> {
    await Promise.all([this.control?.close(), ...[...this.#opened].map((client) => client.close())]);
  }

  /** Of this label and region. */
  async #oldest(control: ControlApi, scope: CallScope): Promise<Fields | undefined> {
    const { namespace: label, region } = this.#settings;
    const reply = await control.once('GET', NAMESPACES, scope);
    const list = reply?.['namespaces'] ?? [];
    if (reply === undefined || !Array.isArray(list)) throw control.nonsense('list of namespaces');
    const [oldest] = list
      .filter(isObject)
      .filter((one) => one['label'] === label && one['region'] === region)
      .sort(
        (a, b) => ageOrder(a) - ageOrder(b) || (String(a['namespace']) < String(b['namespace']) ? -1 : 1),
      );
    return oldest;
  }

  async #use(control: ControlApi, fields: unknown, scope: CallScope): Promise<Namespace> {
    if (!isObject(fields) || textOf(fields['key']) !== undefined) return this.#keep(fields);
    // A list need not hold the keys.
    const path = `${NAMESPACES}/${encodeURIComponent(String(fields['namespace']))}`;
    return this.#keep((await control.once('GET', path, scope))?.['namespace']);
  }

  /** The same object, with its sockets, as long as nothing has changed. */
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
    const origin = checkUrl(host, 'api_host');
    const accessKey = `${uuid}:${key}`;
    const current = this.#current;
    if (current?.id === id && current.accessKey === accessKey && current.client.origin === origin)
      return current;
    return this.#replace(this.#open(id, origin, accessKey));
  }

  #replace<Next extends Namespace | undefined>(next: Next): Next {
    const client = this.#current?.client;
    this.#current = next;
    // After those who hold it and are just about to send; what it has sent is waited for.
    if (client !== undefined) setImmediate(() => client.close().finally(() => this.#opened.delete(client)));
    return next;
  }

  #open(id: string | undefined, host: string, accessKey: string): Namespace {
    const client = new Client(this.#settings, host, `Basic ${Buffer.from(accessKey).toString('base64')}`);
    this.#opened.add(client);
    return { id, accessKey, client };
  }

  #needControl(): ControlApi {
    if (this.control !== undefined) return this.control;
    throw config('needs `token` to find a namespace');
  }
}

/** What states no date is the last choice. */
function ageOrder(namespace: Fields): number {
  const madeMs = Date.parse(String(namespace['created_at']));
  return Number.isNaN(madeMs) ? Number.MAX_SAFE_INTEGER : madeMs;
}
