/**
 * Azure's management API. Apps and plans go through Microsoft's client, which is loaded by the first deploy; groups,
 * storage, tags and keys are a few plain requests, so that a caller needs no client at all.
 */
import type { WebSiteManagementClient } from '@azure/arm-appservice';
import { FaasError } from '../../core/errors.js';
import type { CallScope } from '../../core/scope.js';
import { type Fields, isObject, parseObject, textOf } from '../shared/json.js';
import { importPeer } from '../shared/peers.js';
import type { ControlHttp, ControlRequest } from './control-http.js';
import { type AzureError, operationError } from './errors.js';
import { PROVIDER, type Settings } from './options.js';
import { pipelineClient } from './pipeline-client.js';

export const WEB_API = '2025-05-01';
export const GROUPS_API = '2025-04-01';
export const STORAGE_API = '2025-08-01';

export class Arm {
  readonly settings: Settings;
  readonly #http: ControlHttp;

  constructor(settings: Settings, http: ControlHttp) {
    this.settings = settings;
    this.#http = http;
  }

  /** `/subscriptions/S/resourceGroups/G` */
  get groupPath(): string {
    const { subscriptionId, resourceGroup } = this.settings;
    if (subscriptionId === '') throw needsSubscription();
    return `/subscriptions/${encodeURIComponent(subscriptionId)}/resourceGroups/${encodeURIComponent(resourceGroup)}`;
  }

  sitePath(appName: string): string {
    return `${this.groupPath}/providers/Microsoft.Web/sites/${encodeURIComponent(appName)}`;
  }

  storagePath(): string {
    return `${this.groupPath}/providers/Microsoft.Storage/storageAccounts/${this.settings.storageAccount}`;
  }

  containerPath(container: string): string {
    return `${this.storagePath()}/blobServices/default/containers/${container}`;
  }

  /** @throws {FaasError} what the API says; a reply without a body is `{}` */
  async request(
    method: ControlRequest['method'],
    path: string,
    apiVersion: string,
    what: string,
    scope: CallScope,
    body?: object,
  ): Promise<Fields> {
    const url = new URL(path, this.settings.endpoint);
    url.searchParams.set('api-version', apiVersion);
    const headers = ['accept', 'application/json'];
    if (body !== undefined) headers.push('content-type', 'application/json');
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const reply = await this.#http.send({ method, url, what, headers, body: bytes }, scope);
    if (reply.body.length === 0) return {};
    const fields = parseObject(reply.body);
    if (fields !== undefined) return fields;
    const message = `${url.origin} answered with something that is no JSON (${what}, HTTP ${reply.status}). Check \`endpoint\` and proxies.`;
    throw new FaasError({
      code: 'PROTOCOL',
      executed: 'no',
      provider: PROVIDER,
      functionName: what,
      message,
    });
  }

  /** Undefined for a resource that is not there, and for nothing else: any other failure is no empty place. */
  async find(path: string, apiVersion: string, what: string, scope: CallScope): Promise<Fields | undefined> {
    return absentIfMissing(this.request('GET', path, apiVersion, what, scope));
  }

  /** A client for one piece of work: its requests go through our sockets, retries and tokens, and end with `scope`. */
  async client(what: string, scope: CallScope): Promise<WebSiteManagementClient> {
    const { endpoint, subscriptionId } = this.settings;
    if (subscriptionId === '') throw needsSubscription();
    const sdk = await importPeer(
      'AzureFunctionExecutor',
      '@azure/arm-appservice',
      () => import('@azure/arm-appservice'),
    );
    return new sdk.WebSiteManagementClient(NO_TOKEN, subscriptionId, {
      endpoint,
      retryOptions: { maxRetries: 0 },
      httpClient: pipelineClient(this.#http, what, scope),
    });
  }

  /**
   * Runs something of the client's, and says what went wrong in our words.
   * @throws {FaasError}
   */
  async sdk<Output>(
    what: string,
    scope: CallScope,
    work: (client: WebSiteManagementClient) => Promise<Output>,
  ): Promise<Output> {
    try {
      return await work(await this.client(what, scope));
    } catch (thrown) {
      if (FaasError.is(thrown)) throw thrown;
      // The client's own waits end without a reason.
      if (scope.reason !== undefined) throw scope.reason.with({ executed: 'no', functionName: what });
      throw this.#explain(thrown, what);
    }
  }

  /** What the client throws on its own: an operation that was accepted and failed, or a reply it does not expect. */
  #explain(thrown: unknown, what: string): FaasError {
    const { endpoint } = this.settings;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    // core-lro puts Azure's code and text behind its own sentence.
    const failed = /(?:operation has failed|Operation was canceled)\.?\s*(?:(\w+)\.\s*)?(.*)/s.exec(message);
    if (failed !== null) {
      const said: AzureError = { code: textOf(failed[1]), message: textOf(failed[2]) };
      return operationError(said, what, endpoint);
    }
    const text = `${endpoint} answered with something that @azure/arm-appservice does not understand (${what}): ${message}`;
    return new FaasError({
      code: 'PROTOCOL',
      executed: 'no',
      provider: PROVIDER,
      functionName: what,
      message: text,
      cause: thrown,
    });
  }
}

/** The client wants a credential; the token is put in where requests are sent, so that one that was refused is renewed. */
const NO_TOKEN = {
  getToken: async () => ({ token: 'replaced-when-sent', expiresOnTimestamp: Number.MAX_SAFE_INTEGER }),
};

export async function absentIfMissing<Output>(work: Promise<Output>): Promise<Output | undefined> {
  try {
    return await work;
  } catch (failure) {
    if (FaasError.is(failure) && failure.code === 'NOT_FOUND') return undefined;
    throw failure;
  }
}

/** The `properties` of a resource. */
export function propertiesOf(resource: Fields): Fields {
  return isObject(resource['properties']) ? resource['properties'] : {};
}

function needsSubscription(): FaasError {
  const message =
    'AzureFunctionExecutor: this needs `subscriptionId`: with `apps` functions can only be called.';
  return new FaasError({ code: 'CONFIG', executed: 'no', provider: PROVIDER, message });
}
