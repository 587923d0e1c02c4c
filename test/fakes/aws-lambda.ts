/**
 * fakeLambda: the AWS Lambda API on loopback, with its states, refusals and signatures, and as much of S3 and
 * CloudWatch Logs as the executor uses. It exists because no emulator shows what deploys meet in the cloud: Pending and
 * InProgress, 409, 412, 429 with a Reason, LogResult, provisioned concurrency.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AnyJob } from '../../src/core/define-job.js';
import { AwsRefusal, FakeFunctions, type FunctionsOptions, type Json } from './aws-lambda-functions.js';
import { OPERATIONS } from './aws-lambda-operations.js';
import { FakeRuns, type RawHandler, type RunReply } from './aws-lambda-runs.js';
import { type KnownKey, refuseSignature } from './aws-sigv4.js';

export interface FakeLambdaOptions {
  /** What the functions can run. */
  readonly jobs?: readonly AnyJob[];
  /** Functions that are no jobs, by name. */
  readonly raw?: Readonly<Record<string, RawHandler>>;
  /** How many reads see a change in progress. Default 1. */
  readonly settleReads?: number;
  readonly roleUnknownFor?: number;
  readonly outcome?: FunctionsOptions['outcome'];
  /** Sees every request with its reply. */
  readonly observe?: (exchange: ObservedExchange) => void;
}

export interface ObservedRequest {
  /** `Invoke`, `CreateFunction`, …; `unknown` for what the fake has no operation for. */
  readonly operation: string;
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface ObservedExchange {
  readonly request: ObservedRequest;
  readonly reply: RunReply;
}

/** What happens to a request instead of its operation. */
export interface Fault {
  readonly status?: number;
  readonly type?: string;
  readonly message?: string;
  readonly headers?: Record<string, string>;
  /** Instead of AWS's form. */
  readonly body?: string;
  /** `before`: nothing is done, `after`: it is done and the reply is lost. */
  readonly reset?: 'before' | 'after';
  /** Never answered. */
  readonly hang?: boolean;
  /** Done before the operation goes on as usual. */
  readonly run?: () => void;
}

export const REGION = 'eu-central-1';
export const KEYS = { accessKeyId: 'AKIDFAKE1', secretAccessKey: 'fake/secret+key' } as const;
export const ROLE = 'arn:aws:iam::123456789012:role/jobs';

export class FakeLambda {
  readonly url: string;
  readonly functions: FakeFunctions;
  readonly runs: FakeRuns;
  readonly requests: ObservedRequest[] = [];
  readonly keys = new Map<string, KnownKey>([[KEYS.accessKeyId, { secretAccessKey: KEYS.secretAccessKey }]]);
  readonly objects: Map<string, Uint8Array>;
  /** What this server's clock is ahead of the machine's. */
  clockMs = 0;
  readonly #faults: { operation: string; fault: Fault; times: number }[] = [];
  readonly #close: () => Promise<void>;

  constructor(
    url: string,
    functions: FakeFunctions,
    runs: FakeRuns,
    objects: Map<string, Uint8Array>,
    close: () => Promise<void>,
  ) {
    this.url = url;
    this.functions = functions;
    this.runs = runs;
    this.objects = objects;
    this.#close = close;
  }

  /** The next `times` requests of an operation (`*` for any) meet the fault. */
  fault(operation: string, fault: Fault, times = 1): void {
    this.#faults.push({ operation, fault, times });
  }

  nextFault(operation: string): Fault | undefined {
    const found = this.#faults.find(
      (entry) => entry.times > 0 && (entry.operation === operation || entry.operation === '*'),
    );
    if (found !== undefined) found.times -= 1;
    return found?.fault;
  }

  /** The operations that were asked for, in their order. */
  operations(): string[] {
    return this.requests.map(({ operation }) => operation);
  }

  /** Those of them that change something. */
  writes(): string[] {
    const writing = new Set(OPERATIONS.filter(({ writes }) => writes).map(({ name }) => name));
    return this.operations().filter((name) => writing.has(name) || name === 'PutObject');
  }

  close(): Promise<void> {
    return this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}

export async function fakeLambda(options: FakeLambdaOptions = {}): Promise<FakeLambda> {
  const { jobs = [], raw = {}, settleReads = 1, roleUnknownFor = 0, outcome, observe } = options;
  const objects = new Map<string, Uint8Array>();
  const functions = new FakeFunctions({ region: REGION, settleReads, roleUnknownFor, outcome, objects });
  const runs = new FakeRuns(functions, jobs, raw);
  const server = createServer((incoming, outgoing) => {
    serve(fake, incoming, outgoing, observe).catch((error: unknown) => {
      console.error('fakeLambda failed', error);
      outgoing.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  const { port } = server.address() as AddressInfo;
  const fake = new FakeLambda(`http://127.0.0.1:${port}`, functions, runs, objects, close);
  return fake;
}

async function serve(
  fake: FakeLambda,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  observe: FakeLambdaOptions['observe'],
): Promise<void> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
  } catch {
    return; // the caller went away before its request was complete: nothing runs
  }
  const { method = '', url: target = '', headers } = incoming;
  const request = {
    method,
    target,
    headers,
    body: Buffer.concat(chunks),
    operation: operationOf(method, target, headers),
  };
  fake.requests.push(request);
  const fault = fake.nextFault(request.operation);
  fault?.run?.();
  if (fault?.hang) return;
  if (fault?.reset === 'before') return reset(incoming);
  const reply = fault !== undefined && isReply(fault) ? faultReply(fault) : await answer(fake, request);
  if (fault?.reset === 'after') return reset(incoming);
  reply.headers['x-amzn-requestid'] ??= randomUUID();
  reply.headers['date'] = new Date(Date.now() + fake.clockMs).toUTCString();
  observe?.({ request, reply });
  outgoing.writeHead(reply.status, reply.headers).end(reply.body);
}

async function answer(fake: FakeLambda, request: ObservedRequest): Promise<RunReply> {
  try {
    const services = ['lambda', 'logs', 's3'];
    const refused = refuseSignature(request, fake.keys, {
      region: REGION,
      services,
      nowMs: Date.now() + fake.clockMs,
    });
    if (refused !== undefined) throw new AwsRefusal(refused.status, refused.type, refused.message);
    return await perform(fake, request);
  } catch (error) {
    if (!(error instanceof AwsRefusal)) throw error;
    return refusalReply(error.status, error.type, error.message, error.more);
  }
}

async function perform(
  fake: FakeLambda,
  { operation, method, target, headers, body }: ObservedRequest,
): Promise<RunReply> {
  const url = new URL(target, 'http://fake');
  switch (operation) {
    case 'Invoke':
    case 'InvokeWithResponseStream': {
      const name = decodeURIComponent(url.pathname.split('/')[3] ?? '');
      const qualifier = url.searchParams.get('Qualifier') ?? undefined;
      const run = { name, qualifier, headers, body };
      return operation === 'Invoke' ? fake.runs.invoke(run) : fake.runs.stream(run);
    }
    case 'FilterLogEvents':
      return jsonReply(200, filterLogEvents(fake, JSON.parse(body.toString('utf8')) as Json));
    case 'PutObject':
      fake.objects.set(decodeURIComponent(url.pathname.slice(1)), body);
      return { status: 200, headers: { etag: '"1"' }, body: Buffer.alloc(0) };
    case 'HeadObject': {
      const object = fake.objects.get(decodeURIComponent(url.pathname.slice(1)));
      const length = object === undefined ? {} : { 'content-length': String(object.length) };
      return { status: object === undefined ? 404 : 200, headers: length, body: Buffer.alloc(0) };
    }
  }
  const found = OPERATIONS.find((candidate) => candidate.name === operation);
  if (found === undefined)
    throw new AwsRefusal(404, 'UnknownOperationException', `${method} ${url.pathname}`);
  const path = (found.path.exec(url.pathname) ?? []).slice(1).map(decodeURIComponent);
  const input = body.length === 0 ? {} : (JSON.parse(body.toString('utf8')) as Json);
  const output = found.run(fake.functions, { path, query: url.searchParams, body: input });
  return output === undefined
    ? { status: found.status, headers: {}, body: Buffer.alloc(0) }
    : jsonReply(found.status, output);
}

function operationOf(method: string, target: string, headers: IncomingMessage['headers']): string {
  const path = target.split('?', 1)[0] ?? '';
  const rpc = headers['x-amz-target'];
  if (rpc !== undefined) return String(rpc).split('.').at(-1) ?? 'unknown';
  if (method === 'POST' && /^\/2015-03-31\/functions\/[^/]+\/invocations$/.test(path)) return 'Invoke';
  if (method === 'POST' && /^\/2021-11-15\/functions\/[^/]+\/response-streaming-invocations$/.test(path)) {
    return 'InvokeWithResponseStream';
  }
  const found = OPERATIONS.find((candidate) => candidate.method === method && candidate.path.test(path));
  if (found !== undefined) return found.name;
  if (/^\/\d{4}-\d\d-\d\d\//.test(path)) return 'unknown';
  return method === 'PUT' ? 'PutObject' : method === 'HEAD' ? 'HeadObject' : 'unknown';
}

/** All events, two to a page, so that a reader must follow the tokens. */
function filterLogEvents(fake: FakeLambda, input: Json): Json {
  const target = fake.functions.find(String(input['logGroupName']).replace('/aws/lambda/', ''));
  if (target === undefined || target.log.length === 0) {
    throw new AwsRefusal(400, 'ResourceNotFoundException', 'The specified log group does not exist.');
  }
  const from = Number(input['startTime'] ?? 0);
  const at = Number(input['nextToken'] ?? 0);
  const to = Number(input['endTime'] ?? Infinity);
  const matching = target.log.filter(({ timestamp }) => timestamp >= from && timestamp <= to);
  const events = matching
    .slice(at, at + 2)
    .map(({ id, timestamp, message }) => ({ eventId: id, timestamp, message }));
  return { events, ...(at + 2 < matching.length && { nextToken: String(at + 2) }) };
}

function isReply({ status, body }: Fault): boolean {
  return status !== undefined || body !== undefined;
}

function faultReply({ status = 500, type, message = '', headers = {}, body }: Fault): RunReply {
  if (body === undefined && type !== undefined) {
    const reply = refusalReply(status, type, message, {});
    return { ...reply, headers: { ...reply.headers, ...headers } };
  }
  return { status, headers: { 'content-type': 'text/html', ...headers }, body: Buffer.from(body ?? '') };
}

const LOWER_CASE_MESSAGE: ReadonlySet<string> = new Set([
  'CodeStorageExceededException',
  'InvalidParameterValueException',
  'InvalidRequestContentException',
  'PreconditionFailedException',
  'ProvisionedConcurrencyConfigNotFoundException',
  'RequestTooLargeException',
  'ResourceConflictException',
  'TooManyRequestsException',
  'UnsupportedMediaTypeException',
]);

function refusalReply(status: number, type: string, message: string, more: Json): RunReply {
  // The model spells the member in both ways.
  const text = LOWER_CASE_MESSAGE.has(type) ? { message } : { Message: message };
  const reply = jsonReply(status, { Type: status < 500 ? 'User' : 'Server', ...text, ...more });
  reply.headers['x-amzn-errortype'] = type;
  return reply;
}

function jsonReply(status: number, value: unknown): RunReply {
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(value)),
  };
}

function reset(incoming: IncomingMessage): void {
  incoming.socket.resetAndDestroy();
}
