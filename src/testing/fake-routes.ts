/** The routes of the fake platform: the custom-FaaS spec, nothing else. */
import { callReply, type Replays, readCall, replayKey, runOnce } from './fake-calls.js';
import { checkConditions, deploy, find, list, recordReply } from './fake-deploys.js';
import { type FakeFeature, Refusal, type RoutedRequest } from './fake-features.js';
import type { FakeFunctions, FakeReply } from './fake-functions.js';
import { type FakeInvocations, MAX_WAIT_SECS } from './fake-invocations.js';
import { type FakeLogs, LOG_RETENTION_LINES } from './fake-logs.js';

/** Everything a fake platform remembers. */
export interface FakeWorld {
  readonly spec: '1.0' | '1.1';
  readonly features: ReadonlySet<FakeFeature>;
  readonly bearer: string | undefined;
  readonly functions: FakeFunctions;
  readonly invocations: FakeInvocations;
  readonly logs: FakeLogs;
  readonly replays: Replays;
}

/** Functions share the process of the test: nothing holds them back. */
const ISOLATION = { mode: 'process', memory: 'sampled', processTree: 'process-group' };

const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export async function route(request: RoutedRequest, world: FakeWorld, gone: AbortSignal): Promise<FakeReply> {
  try {
    if (world.bearer !== undefined && request.headers['authorization'] !== `Bearer ${world.bearer}`) {
      throw new Refusal(401, 'UNAUTHORIZED', 'missing or wrong key');
    }
    return await dispatch(request, world, gone);
  } catch (error) {
    if (error instanceof Refusal) return error.reply;
    throw error;
  }
}

async function dispatch(request: RoutedRequest, world: FakeWorld, gone: AbortSignal): Promise<FakeReply> {
  const { pathname, searchParams } = new URL(request.path, 'http://fake');
  const { features, functions } = world;
  // HEAD on every GET: the server leaves the body out.
  const isHead = request.method === 'HEAD' && features.has('head');
  const method = isHead ? 'GET' : request.method;
  if (pathname === '/api' && method === 'GET') return about(world);
  if (pathname === '/api/functions' && method === 'GET' && features.has('list')) {
    return list(request, functions, features, searchParams);
  }
  if (pathname === '/api/invocations' && method === 'GET' && features.has('async')) {
    return world.invocations.list(searchParams);
  }
  const invocation = /^\/api\/invocations\/([^/]+)(?:\/(result|cancel))?$/.exec(pathname);
  if (invocation && features.has('async')) {
    const [, id = '', part = 'record'] = invocation;
    return dispatchInvocation(`${method} ${part}`, id, Number(searchParams.get('wait') ?? 0), world, gone);
  }
  const job = /^\/job\/([^/]+)$/.exec(pathname);
  const path = /^\/api\/functions\/([^/]+)(?:\/(invoke|health|warm|logs))?$/.exec(pathname);
  const rawName = job ? `job${job[1]}` : path?.[1];
  if (rawName === undefined) throw new Refusal(404, 'NOT_FOUND', `no such route: ${pathname}`);
  const name = checkName(rawName);
  // POST|HEAD /job/{n} are the invoke and the health of its function.
  const what = job ? (request.method === 'HEAD' ? 'health' : 'invoke') : (path?.[2] ?? 'record');

  switch (`${method} ${what}`) {
    case 'PUT record':
      return deploy(request, functions, features, name, searchParams.get('replace') === 'true');
    case 'GET record':
      return recordReply(request, functions, features, name);
    case 'DELETE record':
      find(functions, name);
      if (features.has('conditional-replace')) checkConditions(request, functions, name);
      functions.remove(name);
      return { status: 200, body: { function_id: name, status: 'deleted' } };
    case 'GET health':
    case 'HEAD health':
    case 'HEAD invoke':
      return health(functions, name);
    case 'GET invoke':
      if (isHead) return health(functions, name);
      break;
    case 'GET logs':
      find(functions, name);
      if (!features.has('logs')) break;
      return {
        status: 200,
        headers: { 'content-type': 'application/x-ndjson' },
        stream: world.logs.read(name, searchParams, gone),
      };
    case 'POST warm':
      find(functions, name);
      // Nothing is kept warm here, so 0 is the truth.
      return { status: 200, body: { function_id: name, status: 'warm', instances_warmed: 0 } };
    case 'POST invoke':
      return invoke(request, world, name, gone);
  }
  throw new Refusal(405, 'METHOD_NOT_ALLOWED', `${request.method} is not allowed on ${pathname}`);
}

function dispatchInvocation(
  what: string,
  id: string,
  waitSecs: number,
  { invocations, features }: FakeWorld,
  gone: AbortSignal,
): FakeReply | Promise<FakeReply> {
  if (what === 'GET record') return invocations.describe(id, waitSecs, gone);
  if (what === 'GET result') return invocations.result(id);
  if (what === 'POST cancel' && features.has('cancel')) return invocations.cancel(id);
  throw new Refusal(405, 'METHOD_NOT_ALLOWED', `${what} is not allowed on an invocation`);
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

function health(functions: FakeFunctions, name: string): FakeReply {
  const { calls, lastCall } = find(functions, name);
  const last = lastCall === undefined ? {} : { last_invocation: lastCall };
  return { status: 200, body: { function_id: name, status: 'healthy', ...last, total_invocations: calls } };
}

async function invoke(
  request: RoutedRequest,
  world: FakeWorld,
  name: string,
  gone: AbortSignal,
): Promise<FakeReply> {
  const { features, functions, invocations, replays } = world;
  const target = find(functions, name);
  const call = readCall(request, functions, features, name);
  const run = async (stop: AbortSignal) => {
    world.logs.add(name, call.callId, `attempt ${call.attempt} started`);
    const outcome = await functions.run(name, target, call, stop);
    world.logs.add(name, call.callId, `ended: HTTP ${outcome.status}`);
    return outcome;
  };
  if (request.headers['prefer'] === 'respond-async' && features.has('async')) {
    return invocations.accept(name, call, run);
  }
  const outcome = await runOnce(replays, replayKey(request, features, name), call, () => run(gone));
  return callReply(outcome, call, request, features);
}

function about({ spec, features, functions }: FakeWorld): FakeReply {
  const limits = {
    max_request_bytes: 64 * 1024 * 1024,
    max_args_bytes: functions.maxArgsBytes,
    memory_mb: { min: 128, max: 10_240, step: 64 },
    timeout_secs: { min: 1, max: 900 },
    max_concurrency: { min: 1, max: 1000 },
    ...(features.has('call-context') && { max_metadata_bytes: 8192 }),
    ...(features.has('async') && { max_wait_secs: MAX_WAIT_SECS, invocation_retention_secs: 3600 }),
    ...(features.has('idempotency') && { idempotency_ttl_secs: 300 }),
    ...(features.has('logs') && { log_retention_lines: LOG_RETENTION_LINES }),
  };
  const more = spec === '1.0' ? {} : { version: '0.0.0', isolation: ISOLATION };
  return { status: 200, body: { spec, platform: 'fake', ...more, limits, features: [...features] } };
}
