/** The Lambda Runtime API: one process serves many calls, one at a time, asking for each over HTTP. */
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import type { RemoteError } from '../../core/errors.js';
import { answer, describeFailure } from './answer.js';
import type { FindJob } from './jobs.js';

const VERSION = '/2018-06-01/runtime';

export class RuntimeApi {
  readonly #host: string;
  // One connection, kept: node:http on it is four times faster than the built-in fetch.
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  /** The call being worked on. */
  #requestId: string | undefined;

  /** @param host `host:port`, from the environment variable AWS_LAMBDA_RUNTIME_API */
  constructor(host: string) {
    this.#host = host;
  }

  /** Asks for calls until the process is ended from outside. */
  async serve(findJob: FindJob): Promise<never> {
    for (;;) {
      const next = await this.#send('GET', '/invocation/next');
      const requestId = String(next.headers['lambda-runtime-aws-request-id']);
      const deadlineMs = Number(next.headers['lambda-runtime-deadline-ms']) || undefined;
      this.#requestId = requestId;
      await this.#answer(findJob, requestId, next.body, deadlineMs);
      this.#requestId = undefined;
    }
  }

  /** Reports what no handler caught. The state of the process is unknown by then, so the caller must end it. */
  async fail(thrown: unknown): Promise<void> {
    const path = this.#requestId === undefined ? '/init/error' : `/invocation/${this.#requestId}/error`;
    await this.#send('POST', path, errorBody(describeFailure(thrown)));
  }

  async #answer(
    findJob: FindJob,
    requestId: string,
    event: Buffer,
    deadlineMs: number | undefined,
  ): Promise<void> {
    let body: Buffer;
    let path = `/invocation/${requestId}/response`;
    try {
      body = await answer(findJob, event, deadlineMs);
    } catch (thrown) {
      body = errorBody(describeFailure(thrown));
      path = `/invocation/${requestId}/error`;
    }
    await this.#send('POST', path, body);
  }

  #send(
    method: string,
    path: string,
    body?: Buffer,
  ): Promise<{ headers: IncomingHttpHeaders; body: Buffer }> {
    return new Promise((resolve, reject) => {
      const [hostname, port] = splitHost(this.#host);
      const headers =
        body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': body.length };
      const outgoing = request(
        { hostname, port, path: VERSION + path, method, headers, agent: this.#agent },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const { statusCode = 0 } = response;
            // 413: the answer is too large. The platform reports it for the call; the next one may fit.
            if ((statusCode >= 200 && statusCode < 300) || statusCode === 413) {
              resolve({ headers: response.headers, body: Buffer.concat(chunks) });
            } else {
              reject(new Error(`The runtime API answered ${statusCode} to ${method} ${path}.`));
            }
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
}

function splitHost(host: string): [hostname: string, port: string | undefined] {
  const { hostname, port } = new URL(`http://${host}`);
  return [hostname.replace(/^\[|\]$/g, ''), port === '' ? undefined : port];
}

function errorBody({ name, message, stack }: RemoteError): Buffer {
  const stackTrace = stack === undefined ? [] : stack.split('\n').map((line) => line.trim());
  return Buffer.from(JSON.stringify({ errorType: name, errorMessage: message, stackTrace }));
}
