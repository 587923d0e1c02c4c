/** Which version of a function this executor saw last, and the requests that depend on it. */
import { FaasError } from '../../core/errors.js';
import type { HttpReply } from '../shared/http.js';
import { type Control, isSuccess } from './control.js';
import type { Route } from './routes.js';

const UPLOAD_TIMEOUT_MS = 300_000;

/** What stood under a name: the version's tag, or nothing. */
type Seen = { readonly etag: string } | 'nothing';

export class Versions {
  readonly #control: Control;
  readonly #seen = new Map<string, Seen>();

  constructor(control: Control) {
    this.#control = control;
  }

  /** The record as it is now; undefined when there is none. */
  async look(route: Route, signal: AbortSignal | undefined): Promise<Record<string, unknown> | undefined> {
    const reply = await this.#control.send(
      route.control,
      { method: 'GET', path: route.functionPath },
      signal,
    );
    if (reply.status === 404) {
      this.#seen.set(route.functionName, 'nothing');
      return undefined;
    }
    const record = this.#control.read(route.control, reply);
    this.#keep(route, record);
    return record;
  }

  async remove(route: Route, signal: AbortSignal | undefined): Promise<void> {
    const request = { method: 'DELETE', path: route.functionPath } as const;
    const reply = await this.#control.send(route.control, request, signal);
    if (reply.status !== 404 && !isSuccess(reply)) throw this.#control.failure(route.control, reply);
    this.#seen.set(route.functionName, 'nothing');
  }

  /**
   * Uploads the version that follows the one seen last (read now when none was seen), so that two deployers cannot
   * overwrite each other.
   * @throws {FaasError} CONFLICT when something else stands there by now.
   */
  async replaceSeen(
    route: Route,
    headers: readonly string[],
    body: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<HttpReply> {
    if (!this.#seen.has(route.functionName)) await this.look(route, signal);
    const seen = this.#seen.get(route.functionName);
    // A record without a tag cannot be named: then only new functions are deployed, and the same again.
    const condition =
      seen === undefined ? [] : seen === 'nothing' ? ['if-none-match', '*'] : ['if-match', `"${seen.etag}"`];
    let reply = await this.put(route, '', [...headers, ...condition], body, signal);
    // Without a condition only the same content passes: this very deploy, whose reply was lost, or another's like it.
    if (reply.status === 412) reply = await this.put(route, '', headers, body, signal);
    if (reply.status !== 409) {
      this.#keep(route, isSuccess(reply) ? this.#control.read(route.control, reply) : {});
      return reply;
    }
    const { provider, functionName, origin } = route.control.place;
    throw new FaasError({
      code: 'CONFLICT',
      executed: 'no',
      provider,
      functionName,
      status: 409,
      message: `${functionName} was deployed by someone else on ${origin} since this executor looked at it. Look again with getDeployment, then deploy.`,
    });
  }

  put(
    route: Route,
    query: string,
    headers: readonly string[],
    body: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<HttpReply> {
    const message = { method: 'PUT', path: `${route.functionPath}${query}`, headers, body } as const;
    return this.#control.send(route.control, message, signal, UPLOAD_TIMEOUT_MS);
  }

  #keep({ functionName }: Route, { etag }: Readonly<Record<string, unknown>>): void {
    // Header values are quoted text; anything else could not be sent back.
    if (typeof etag === 'string' && /^[\x21\x23-\x7e]{1,200}$/.test(etag))
      this.#seen.set(functionName, { etag });
    else this.#seen.delete(functionName);
  }
}
