/**
 * Runs inside an instance: loads a Node function and answers HTTP on a socket in the instance's own folder. It listens
 * only once the code is loaded; what does not load is told on stderr, in one last line that names the reason.
 *
 * The handler is `module.exports = async (event, context) => …` (or a default or named export): what it hands to
 * `context.succeed` or returns is the body. Node's modules only.
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { parse } from 'node:querystring';
import { pathToFileURL } from 'node:url';

interface Event {
  readonly body: unknown;
  readonly headers: IncomingMessage['headers'];
  readonly method: string;
  readonly query: Readonly<Record<string, string | string[] | undefined>>;
  readonly path: string;
}

type Callback = (error: unknown, value?: unknown) => void;
type Handler = (event: Event, context: Context, callback: Callback) => unknown;

class Context {
  cb: Callback;
  statusCode = 200;
  isStatusChosen = false;
  headerValues: Record<string, string | string[]> = {};
  succeeded = 0;

  constructor(cb: Callback) {
    this.cb = cb;
  }

  status(): number;
  status(code: number): this;
  status(code?: number): this | number {
    if (code === undefined) return this.statusCode;
    this.statusCode = code;
    this.isStatusChosen = true;
    return this;
  }

  headers(): Record<string, string | string[]>;
  headers(values: Record<string, string | string[]>): this;
  headers(values?: Record<string, string | string[]>): this | Record<string, string | string[]> {
    if (values === undefined) return this.headerValues;
    this.headerValues = { ...this.headerValues, ...values };
    return this;
  }

  succeed(value: unknown): void {
    this.succeeded++;
    this.cb(undefined, value);
  }

  fail(reason: unknown): void {
    if (!this.isStatusChosen) this.status(500);
    this.succeeded++;
    this.cb(reason);
  }
}

const [, , file = '', handlerName = 'handle'] = process.argv;
const codeFolder = process.cwd();

process.on('unhandledRejection', (error) => console.error(error));

const handler = await load().catch((error: unknown) => {
  console.error(error);
  console.error(`the code does not load: ${errorText(error)}`);
  process.exit(1);
});

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    console.error(error);
    if (response.headersSent) response.destroy();
    else response.writeHead(500, { 'Content-Type': 'text/plain' }).end(errorText(error));
  });
});
server.keepAliveTimeout = 0;
server.requestTimeout = 0;
// A socket's path has little room, so it is named from inside its folder.
process.chdir(process.env['HOME'] ?? '/');
server.listen('s', () => process.chdir(codeFolder));

async function load(): Promise<Handler> {
  const loaded = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  const exported = (loaded['default'] ?? loaded) as unknown;
  const named =
    typeof exported === 'object' && exported !== null
      ? (exported as Record<string, unknown>)[handlerName]
      : undefined;
  const found = [loaded[handlerName], exported, named].find((one) => typeof one === 'function');
  if (found === undefined) throw new TypeError(`it exports no function ${handlerName} and no default one`);
  return found as Handler;
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const url = new URL(request.url ?? '/', 'http://function');
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const context = new Context((error, value) => (error == null ? resolve(value) : reject(error)));
  const event: Event = {
    body: bodyOf(request.headers['content-type'], Buffer.concat(chunks)),
    headers: request.headers,
    method: request.method ?? 'GET',
    query: parse(url.search.slice(1)),
    path: url.pathname,
  };
  try {
    const returned = await handler(event, context, context.cb);
    // One that takes a callback, or has called succeed, says there what the answer is.
    if (context.succeeded === 0 && (handler.length < 3 || returned !== undefined)) resolve(returned);
    send(response, context, await promise);
  } catch (error) {
    console.error(error);
    if (!context.isStatusChosen) context.status(500);
    send(response, context, error instanceof Error ? errorText(error) : error);
  }
}

function bodyOf(contentType: string | undefined, bytes: Buffer): unknown {
  if (process.env['RAW_BODY'] === 'true') return bytes;
  const type = (contentType ?? 'text/plain').split(';')[0]?.trim().toLowerCase() ?? '';
  if (type === 'application/json' || type.endsWith('+json')) {
    try {
      return bytes.length === 0 ? {} : (JSON.parse(bytes.toString('utf8')) as unknown);
    } catch {
      return bytes.toString('utf8');
    }
  }
  if (type === 'application/x-www-form-urlencoded') return parse(bytes.toString('utf8'));
  return type.startsWith('text/') ? bytes.toString('utf8') : bytes;
}

function send(response: ServerResponse, context: Context, value: unknown): void {
  const bytes =
    value instanceof Uint8Array
      ? value
      : Buffer.from(
          typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? ''),
        );
  response.writeHead(context.statusCode, { ...context.headerValues, 'Content-Length': bytes.length });
  response.end(response.req.method === 'HEAD' ? undefined : bytes);
}

function errorText(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message.split('\n')[0]}` : String(error);
}
