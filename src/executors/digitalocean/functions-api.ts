/** OpenWhisk on the namespace's own host: every request of the data plane goes through here, with the key of now. */
import { FaasError } from '../../core/errors.js';
import { type CallScope, sleep } from '../../core/scope.js';
import { untilItWorks } from '../shared/control-retry.js';
import type { HttpReply, HttpRequest } from '../shared/http.js';
import { parseJson } from '../shared/json.js';
import { type Client, notExecuted, repeatable, type Waits } from './client.js';
import { replyError } from './errors.js';
import type { Namespaces } from './namespace.js';
import { PROVIDER, type Settings } from './options.js';

/** Someone else's deploy of the same function is waited for this often. */
const CONFLICT_TRIES = 5;

/** `/api/v1/namespaces/_/actions/NAME`; each step of a name with a package is encoded by itself. */
export function actionPath(functionName: string): string {
  return `/api/v1/namespaces/_/actions/${functionName.split('/').map(encodeURIComponent).join('/')}`;
}

export function activationPath(id: string): string {
  return `/api/v1/namespaces/_/activations/${encodeURIComponent(id)}`;
}

export interface Answer {
  readonly reply: HttpReply;
  /** Who asked: errors name its origin and hide its key. */
  readonly client: Client;
}

export class FunctionsApi {
  readonly #namespaces: Namespaces;
  readonly #pollMs: number;

  constructor(settings: Settings, namespaces: Namespaces) {
    this.#namespaces = namespaces;
    this.#pollMs = settings.pollMs;
  }

  /**
   * One request, or two when the first was refused for a key that has been rotated: nothing was done then.
   * @throws {FaasError} when there is no complete reply; any status is one
   */
  async send(
    method: HttpRequest['method'],
    path: string,
    functionName: string,
    context: Waits,
    body?: Uint8Array,
  ): Promise<Answer> {
    const namespace = await this.#namespaces.need(context, functionName);
    const { client } = namespace;
    const reply = await client.send(method, path, functionName, context, body);
    if (reply.status !== 401) return { reply, client };
    const renewed = await this.#namespaces.renew(namespace, context);
    if (renewed === undefined) return { reply, client };
    const again = await renewed.client.send(method, path, functionName, context, body);
    return { reply: again, client: renewed.client };
  }

  /**
   * What may be done twice: throttles, outages, broken connections and other people's deploys are waited out.
   * @returns the JSON of the reply; undefined for 404 to GET and DELETE
   */
  async ask(
    method: 'GET' | 'PUT' | 'DELETE',
    path: string,
    functionName: string,
    scope: CallScope,
    body?: Uint8Array,
  ): Promise<unknown> {
    // It has retries of its own.
    await this.#namespaces.need(scope, functionName);
    const once = () => this.#once(method, path, functionName, scope, body);
    for (let tries = 1; ; tries += 1) {
      try {
        return await untilItWorks(scope, once, this.#pollMs);
      } catch (failure) {
        const isBusy = FaasError.is(failure) && failure.code === 'CONFLICT';
        if (!isBusy || tries === CONFLICT_TRIES) throw notExecuted(failure);
        await sleep(this.#pollMs, scope);
      }
    }
  }

  async #once(
    method: 'GET' | 'PUT' | 'DELETE',
    path: string,
    functionName: string,
    scope: CallScope,
    body: Uint8Array | undefined,
  ): Promise<unknown> {
    const { reply, client } = await this.send(method, path, functionName, scope, body).catch(
      (failure: unknown) => {
        throw repeatable(failure);
      },
    );
    if (reply.status === 404 && method !== 'PUT') return undefined;
    const place = client.place(functionName);
    if (reply.status < 200 || reply.status > 299) throw replyError(reply, 'functions', place, client.redact);
    const value = parseJson(reply.body);
    if (value === undefined && method === 'GET') {
      const message = `${place.origin} answered with ${reply.body.length} bytes that are no JSON (${functionName}).`;
      throw new FaasError({ code: 'PROTOCOL', executed: 'no', provider: PROVIDER, functionName, message });
    }
    return value ?? {};
  }
}
