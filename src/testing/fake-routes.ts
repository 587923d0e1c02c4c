/** The routes of the fake platform: the custom-FaaS spec, nothing else. */
import {
  DEFAULT_CONFIG,
  errorBody,
  type FakeConfig,
  type FakeFunctions,
  type FakeReply,
} from './fake-functions.js';

interface RoutedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Ends a request with a 4xx. */
class Refusal extends Error {
  readonly reply: FakeReply;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.reply = { status, body: errorBody(code, 'no', message) };
  }
}

export async function route(
  request: RoutedRequest,
  functions: FakeFunctions,
  bearer: string | undefined,
  gone: AbortSignal,
): Promise<FakeReply> {
  try {
    if (bearer !== undefined && request.headers['authorization'] !== `Bearer ${bearer}`) {
      throw new Refusal(401, 'UNAUTHORIZED', 'missing or wrong key');
    }
    return await dispatch(request, functions, gone);
  } catch (error) {
    if (error instanceof Refusal) return error.reply;
    throw error;
  }
}

async function dispatch(
  request: RoutedRequest,
  functions: FakeFunctions,
  gone: AbortSignal,
): Promise<FakeReply> {
  const { pathname, searchParams } = new URL(request.path, 'http://fake');
  const { method } = request;
  if (pathname === '/api' && method === 'GET') return about(functions);
  const job = /^\/job\/([^/]+)$/.exec(pathname);
  const path = /^\/api\/functions\/([^/]+)(?:\/(invoke|health|warm))?$/.exec(pathname);
  const rawName = job ? `job${job[1]}` : path?.[1];
  if (rawName === undefined) throw new Refusal(404, 'NOT_FOUND', `no such route: ${pathname}`);
  const name = checkName(rawName);
  // POST|HEAD /job/{n} are the invoke and the health of its function.
  const what = job ? (method === 'HEAD' ? 'health' : 'invoke') : (path?.[2] ?? 'record');

  switch (`${method} ${what}`) {
    case 'PUT record':
      return deploy(request, functions, name, searchParams.get('replace') === 'true');
    case 'GET record':
      return { status: 200, body: record(request, functions, name) };
    case 'DELETE record':
      find(functions, name);
      functions.remove(name);
      return { status: 200, body: { function_id: name, status: 'deleted' } };
    case 'GET health':
    case 'HEAD health':
    case 'HEAD invoke': {
      const { calls, lastCall } = find(functions, name);
      const last = lastCall === undefined ? {} : { last_invocation: lastCall };
      return {
        status: 200,
        body: { function_id: name, status: 'healthy', ...last, total_invocations: calls },
      };
    }
    case 'POST warm':
      find(functions, name);
      // Nothing is kept warm here, so 0 is the truth.
      return { status: 200, body: { function_id: name, status: 'warm', instances_warmed: 0 } };
    case 'POST invoke':
      return invoke(request, functions, name, gone);
    default:
      throw new Refusal(405, 'METHOD_NOT_ALLOWED', `${method} is not allowed on ${pathname}`);
  }
}

function checkName(raw: string): string {
  let name = raw;
  try {
    name = decodeURIComponent(raw);
  } catch {
    // An invalid escape stays in the name and is refused below.
  }
  if (!NAME.test(name)) throw new Refusal(400, 'INVALID_NAME', `a function id must match ${NAME.source}`);
  return name;
}

function find(functions: FakeFunctions, name: string) {
  const target = functions.get(name);
  if (target === undefined) throw new Refusal(404, 'NOT_FOUND', `function ${name} is not deployed`);
  return target;
}

function deploy(request: RoutedRequest, functions: FakeFunctions, name: string, replace: boolean): FakeReply {
  const type = String(request.headers['content-type'] ?? '')
    .split(';')[0]
    ?.trim();
  if (type !== 'application/zip' && type !== 'application/octet-stream') {
    throw new Refusal(415, 'UNSUPPORTED_MEDIA_TYPE', 'send the zip as application/zip');
  }
  if (request.body.subarray(0, 2).toString('latin1') !== 'PK') {
    throw new Refusal(400, 'INVALID_PACKAGE', 'the body is no zip file');
  }
  const config = readConfig(request.headers['x-blueprint-config']);
  if (!functions.deploy(name, request.body, config, replace)) {
    throw new Refusal(409, 'CONFLICT', `other content is deployed as ${name}`);
  }
  return { status: 200, body: record(request, functions, name) };
}

function record(request: RoutedRequest, functions: FakeFunctions, name: string): object {
  const { config, sha256, zipBytes, deployedAt } = find(functions, name);
  const { memory_mb, timeout_secs, max_concurrency } = config;
  return {
    function_id: name,
    endpoint: `http://${String(request.headers['host'])}/api/functions/${name}/invoke`,
    status: 'deployed',
    memory_mb,
    timeout_secs,
    ...(max_concurrency !== undefined && { max_concurrency }),
    deployed_at: deployedAt,
    binary_size_bytes: zipBytes,
    sha256,
  };
}

const RANGES: Record<string, (value: number) => boolean> = {
  memory_mb: (mb) => mb >= 128 && mb <= 10_240 && mb % 64 === 0,
  timeout_secs: (secs) => secs >= 1 && secs <= 900,
  max_concurrency: (calls) => calls >= 1 && calls <= 1000,
};

function readConfig(header: string | string[] | undefined): FakeConfig {
  if (header === undefined) return DEFAULT_CONFIG;
  const refuse = (problem: string) => new Refusal(400, 'INVALID_CONFIG', `X-Blueprint-Config: ${problem}`);
  const text = String(header);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0) throw refuse('not one line of base64');
  let config: unknown;
  try {
    config = JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
  } catch {
    throw refuse('not JSON');
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config))
    throw refuse('not a JSON object');
  for (const [field, value] of Object.entries(config)) {
    const inRange = RANGES[field];
    if (field === 'env_vars') {
      const isMap =
        typeof value === 'object' &&
        value !== null &&
        Object.values(value).every((v) => typeof v === 'string');
      if (!isMap) throw refuse('env_vars must map names to strings');
    } else if (inRange === undefined) throw refuse(`unknown field ${field}`);
    else if (!Number.isInteger(value) || !inRange(value as number)) throw refuse(`${field} is out of range`);
  }
  return { ...DEFAULT_CONFIG, ...config };
}

function invoke(
  request: RoutedRequest,
  functions: FakeFunctions,
  name: string,
  gone: AbortSignal,
): Promise<FakeReply> {
  const target = find(functions, name);
  const { job_id: jobId, args } = readCall(request.body);
  if (args.length > functions.maxArgsBytes) {
    throw new Refusal(413, 'PAYLOAD_TOO_LARGE', `args may have ${functions.maxArgsBytes} bytes`);
  }
  const { headers } = request;
  const budgetMs = Math.min(
    target.config.timeout_secs * 1000,
    Number(headers['x-faas-timeout-ms'] ?? Infinity),
  );
  const metadata = headers['x-faas-metadata'];
  const call = {
    jobId,
    args: Uint8Array.from(args),
    callId: String(headers['x-faas-call-id'] ?? ''),
    attempt: Number(headers['x-faas-attempt'] ?? 1),
    deadline: Date.now() + budgetMs,
    metadata:
      metadata === undefined ? {} : JSON.parse(Buffer.from(String(metadata), 'base64url').toString('utf8')),
  };
  return functions.run(name, target, call, gone);
}

function readCall(body: Buffer): { job_id: number; args: number[] } {
  const refuse = (problem: string) => new Refusal(400, 'INVALID_REQUEST', problem);
  let call: { job_id?: unknown; args?: unknown };
  try {
    call = JSON.parse(body.toString('utf8')) as typeof call;
  } catch {
    throw refuse('the body is not JSON');
  }
  const { job_id: jobId, args } = call ?? {};
  const isU32 = typeof jobId === 'number' && Number.isInteger(jobId) && jobId >= 0 && jobId <= 0xffff_ffff;
  if (!isU32) throw refuse('job_id must be an unsigned 32-bit integer');
  const isByte = (value: unknown) =>
    typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 255;
  if (!Array.isArray(args) || !args.every(isByte))
    throw refuse('args must be an array of integers from 0 to 255');
  return { job_id: jobId, args: args as number[] };
}

function about(functions: FakeFunctions): FakeReply {
  const limits = {
    max_request_bytes: 64 * 1024 * 1024,
    max_args_bytes: functions.maxArgsBytes,
    memory_mb: { min: 128, max: 10_240, step: 64 },
    timeout_secs: { min: 1, max: 900 },
    max_concurrency: { min: 1, max: 1000 },
  };
  return { status: 200, body: { spec: '1.0', platform: 'fake', limits, features: [] } };
}
