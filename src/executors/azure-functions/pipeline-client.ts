/** What Microsoft's client sends its requests through: our sockets in place of its own. */
import type { WebSiteManagementClientOptionalParams } from '@azure/arm-appservice';
import type { CallScope } from '../../core/scope.js';
import type { ControlHttp, ControlRequest } from './control-http.js';

type PipelineClient = NonNullable<WebSiteManagementClientOptionalParams['httpClient']>;
type PipelineHeaders = Awaited<ReturnType<PipelineClient['sendRequest']>>['headers'];

/** Set where requests are sent. What is not sent compressed need not be asked for so. */
const OURS: ReadonlySet<string> = new Set(['authorization', 'accept-encoding', 'content-length', 'host']);

/** @param scope ends every request */
export function pipelineClient(http: ControlHttp, what: string, scope: CallScope): PipelineClient {
  return {
    async sendRequest(request) {
      const { method, url, body } = request;
      if (body !== undefined && body !== null && typeof body !== 'string')
        throw new TypeError(`A body of ${what} that is no text cannot be sent.`);
      const headers = [...request.headers].filter(([name]) => !OURS.has(name.toLowerCase())).flat();
      const reply = await http.send(
        {
          method: method as ControlRequest['method'],
          url: new URL(url),
          headers,
          body: typeof body === 'string' ? Buffer.from(body) : undefined,
          what,
        },
        scope,
      );
      return {
        request,
        status: reply.status,
        headers: new ReplyHeaders(reply.headers),
        bodyAsText: reply.body.toString('utf8'),
      };
    },
  };
}

class ReplyHeaders implements PipelineHeaders {
  readonly #values = new Map<string, string>();

  constructor(headers: Readonly<Record<string, string | string[] | undefined>>) {
    for (const [name, value] of Object.entries(headers)) {
      if (value !== undefined) this.set(name, Array.isArray(value) ? value.join(', ') : value);
    }
  }

  get(name: string): string | undefined {
    return this.#values.get(name.toLowerCase());
  }

  has(name: string): boolean {
    return this.#values.has(name.toLowerCase());
  }

  set(name: string, value: string | number | boolean): void {
    this.#values.set(name.toLowerCase(), String(value));
  }

  delete(name: string): void {
    this.#values.delete(name.toLowerCase());
  }

  toJSON(): Record<string, string> {
    return Object.fromEntries(this.#values);
  }

  [Symbol.iterator](): Iterator<[string, string]> {
    return this.#values.entries();
  }
}
