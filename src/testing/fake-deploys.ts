/** Deploys, records and the list of functions on the fake platform. */
import { type FakeFeature, Refusal, type RoutedRequest, readPageSize } from './fake-features.js';
import { DEFAULT_CONFIG, type FakeConfig, type FakeFunctions, type FakeReply } from './fake-functions.js';

export function find(functions: FakeFunctions, name: string) {
  const target = functions.get(name);
  if (target === undefined) throw new Refusal(404, 'NOT_FOUND', `function ${name} is not deployed`);
  return target;
}

export function deploy(
  request: RoutedRequest,
  functions: FakeFunctions,
  features: ReadonlySet<FakeFeature>,
  name: string,
  replace: boolean,
): FakeReply {
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
  const conditional = features.has('conditional-replace');
  if (conditional) checkConditions(request, functions, name);
  const mayReplace = replace || (conditional && request.headers['if-match'] !== undefined);
  if (!functions.deploy(name, request.body, config, mayReplace)) {
    throw new Refusal(409, 'CONFLICT', `other content is deployed as ${name}`);
  }
  return recordReply(request, functions, features, name);
}

/** @throws {Refusal} 412 when the version there is not the one the caller means. */
export function checkConditions({ headers }: RoutedRequest, functions: FakeFunctions, name: string): void {
  const etag = functions.get(name)?.etag;
  const wanted = headers['if-match'];
  if (wanted !== undefined && wanted !== `"${etag}"`) {
    throw new Refusal(412, 'PRECONDITION_FAILED', `${name} has another version`);
  }
  if (headers['if-none-match'] === '*' && etag !== undefined) {
    throw new Refusal(412, 'PRECONDITION_FAILED', `${name} exists`);
  }
}

export function recordReply(
  request: RoutedRequest,
  functions: FakeFunctions,
  features: ReadonlySet<FakeFeature>,
  name: string,
): FakeReply {
  const body = record(request, functions, features, name);
  if (!features.has('conditional-replace')) return { status: 200, body };
  return { status: 200, headers: { etag: `"${find(functions, name).etag}"` }, body };
}

export function list(
  request: RoutedRequest,
  functions: FakeFunctions,
  features: ReadonlySet<FakeFeature>,
  query: URLSearchParams,
): FakeReply {
  const limit = readPageSize(query);
  const after = query.get('after') ?? '';
  const left = functions.names().filter((name) => name > after);
  const page = left.slice(0, limit);
  const next = left.length > page.length ? { next: page.at(-1) } : {};
  const records = page.map((name) => record(request, functions, features, name));
  return { status: 200, body: { functions: records, ...next } };
}

function record(
  request: RoutedRequest,
  functions: FakeFunctions,
  features: ReadonlySet<FakeFeature>,
  name: string,
): object {
  const { config, sha256, etag, zipBytes, deployedAt } = find(functions, name);
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
    ...(features.has('conditional-replace') && { etag }),
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
