/** Requests to the account's API: namespaces and triggers. */
import { FaasError } from '../../core/errors.js';
import type { CallScope } from '../../core/scope.js';
import { untilItWorks } from '../shared/control-retry.js';
import { type Fields, parseObject } from '../shared/json.js';
import { Client, repeatable } from './client.js';
import { replyError } from './errors.js';
import { PROVIDER, type Settings } from './options.js';

const WHAT = 'the namespace';
type Method = 'GET' | 'POST' | 'DELETE';

export class ControlApi {
  readonly #client: Client;
  readonly #pollMs: number;

  constructor(settings: Settings, token: string) {
    this.#client = new Client(settings, settings.endpoint, `Bearer ${token}`);
    this.#pollMs = settings.pollMs;
  }

  /** One request; undefined for 404 to GET and DELETE. */
  async once(method: Method, path: string, scope: CallScope, body?: object): Promise<Fields | undefined> {
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const reply = await this.#client.send(method, path, WHAT, scope, bytes).catch((failure: unknown) => {
      throw repeatable(failure);
    });
    if (reply.status === 404 && method !== 'POST') return undefined;
    if (reply.status < 200 || reply.status > 299) {
      throw replyError(reply, 'control', this.#client.place(WHAT), this.#client.redact);
    }
    const fields = parseObject(reply.body);
    // What cannot be read says nothing, least of all that there is nothing.
    if (fields === undefined && method === 'GET') throw this.nonsense('JSON object');
    return fields ?? {};
  }

  /** Waits out throttles and outages. A step that makes something looks for it first: its answer may have been lost. */
  untilItWorks<Output>(scope: CallScope, step: () => Promise<Output>): Promise<Output> {
    return untilItWorks(scope, step, this.#pollMs);
  }

  /** @param expected what the answer is not */
  nonsense(expected: string): FaasError {
    const message = `${this.#client.origin} answered with something that is no ${expected}. Check \`endpoint\` and proxies.`;
    return new FaasError({ code: 'PROTOCOL', executed: 'no', provider: PROVIDER, message });
  }

  place() {
    return this.#client.place(WHAT);
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}
