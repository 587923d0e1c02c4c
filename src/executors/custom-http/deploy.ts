/** The control plane of the custom-FaaS spec: deploy, describe, health, warm, undeploy. */
import { FaasError } from '../../core/errors.js';
import type { Artifact, Deployment, FunctionConfig, Health } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { CallScope, cancelled, sleep } from '../../core/scope.js';
import type { HttpReply } from '../shared/http.js';
import type { Destination, Message, PlatformClient } from './client.js';
import { blueprintConfig, checkArtifact, checkConfig } from './deploy-config.js';
import { protocolError, replyError } from './errors.js';
import { PROVIDER, type Settings } from './options.js';
import type { Route, Routes } from './routes.js';
import { parseObject } from './wire.js';

const REQUEST_TIMEOUT_MS = 30_000;
const UPLOAD_TIMEOUT_MS = 300_000;
/** How long a platform that deploys step by step may take until its function answers. */
const READY_TIMEOUT_MS = 5000;
const READY_POLL_MS = 100;

export class Lifecycle {
  readonly #settings: Settings;
  readonly #client: PlatformClient;
  readonly #routes: Routes;

  constructor(settings: Settings, client: PlatformClient, routes: Routes) {
    this.#settings = settings;
    this.#client = client;
    this.#routes = routes;
  }

  async deploy(
    jobId: JobId,
    artifact: Artifact,
    partial: Partial<FunctionConfig>,
    signal: AbortSignal | undefined,
  ): Promise<Deployment> {
    const route = this.#route(jobId, 'deployJob');
    const config = checkConfig(partial, this.#settings.limits, route.functionName);
    checkArtifact(artifact, this.#settings.limits, route.functionName);
    const reply = await this.#put(route, artifact, config, signal);
    const record = this.#read(route, reply);
    verify(route, reply, record, artifact, config);
    await this.#ready(jobId, route, signal);
    return deployment(jobId, route, record);
  }

  async describe(jobId: JobId, signal: AbortSignal | undefined): Promise<Deployment | undefined> {
    const route = this.#route(jobId, 'getDeployment');
    const reply = await this.#send(route, { method: 'GET', path: route.functionPath }, signal);
    if (reply.status === 404) return undefined;
    return deployment(jobId, route, this.#read(route, reply));
  }

  async health(jobId: JobId, signal: AbortSignal | undefined): Promise<Health> {
    const route = this.#routes.of(jobId);
    const request =
      this.#settings.api === 'functions'
        ? ({ method: 'GET', path: `${route.functionPath}/health` } as const)
        : ({ method: 'HEAD', path: route.invokePath } as const);
    const reply = await this.#send(route, request, signal);
    return health(reply, () => this.#failure(route, reply));
  }

  async warm(jobId: JobId, signal: AbortSignal | undefined): Promise<number> {
    const route = this.#route(jobId, 'warm');
    const reply = await this.#send(route, { method: 'POST', path: `${route.functionPath}/warm` }, signal);
    // Warming is optional in the spec: without it nothing is kept warm.
    if (reply.status === 405 || reply.status === 501) return 0;
    if (reply.status === 404 && (await this.describe(jobId, signal)) !== undefined) return 0;
    const warmed = this.#read(route, reply)['instances_warmed'];
    if (isFigure(warmed)) return warmed;
    throw protocolError(reply, 'no', 'did not say how many instances are warm', route.control.place);
  }

  async undeploy(jobId: JobId, signal: AbortSignal | undefined): Promise<void> {
    const route = this.#route(jobId, 'undeployJob');
    await this.#delete(route, signal);
  }

  /** Says by name what this provider cannot do. */
  unsupported(what: string, why: string): FaasError {
    return new FaasError({
      code: 'UNSUPPORTED',
      executed: 'no',
      provider: PROVIDER,
      message: `${what} is not possible on ${this.#settings.origin}: ${why}.`,
    });
  }

  #route(jobId: JobId, operation: string): Route {
    if (this.#settings.api === 'functions') return this.#routes.of(jobId);
    throw this.unsupported(
      operation,
      "`api: 'job-endpoint'` has no life cycle. Deploy by the platform's own means",
    );
  }

  /**
   * PUT; where other content stands under the name, PUT with `replace=true`, which switches in one step; where
   * the platform (spec 1.0) does not know that either, DELETE and PUT, with no function in between.
   */
  async #put(
    route: Route,
    artifact: Artifact,
    config: FunctionConfig,
    signal: AbortSignal | undefined,
  ): Promise<HttpReply> {
    const put = (query: string) => {
      const message = {
        method: 'PUT' as const,
        path: `${route.functionPath}${query}`,
        headers: ['content-type', 'application/zip', 'x-blueprint-config', blueprintConfig(config)],
        body: artifact.bytes,
      };
      return this.#send(route, message, signal, UPLOAD_TIMEOUT_MS);
    };
    let reply = await put('');
    if (reply.status === 409) reply = await put('?replace=true');
    if (reply.status !== 409) return reply;
    await this.#delete(route, signal);
    try {
      reply = await put('');
      this.#read(route, reply);
      return reply;
    } catch (failure) {
      throw halfDone(failure, route, 'was removed to make room and its new version was not deployed');
    }
  }

  async #delete(route: Route, signal: AbortSignal | undefined): Promise<void> {
    const reply = await this.#send(route, { method: 'DELETE', path: route.functionPath }, signal);
    if (reply.status !== 404 && !isSuccess(reply)) throw this.#failure(route, reply);
  }

  /** A deploy is over when the function can be called. */
  async #ready(jobId: JobId, route: Route, signal: AbortSignal | undefined): Promise<void> {
    const endsAtMs = performance.now() + READY_TIMEOUT_MS;
    try {
      for (;;) {
        const { status } = await this.health(jobId, signal);
        if (status === 'healthy') return;
        if (performance.now() >= endsAtMs) throw notReady(route, status);
        await inScope(signal, REQUEST_TIMEOUT_MS, (scope) => sleep(READY_POLL_MS, scope));
      }
    } catch (failure) {
      throw halfDone(failure, route, 'was uploaded but is not known to work');
    }
  }

  #send(
    route: Route,
    message: Omit<Message, 'headers'> & Partial<Pick<Message, 'headers'>>,
    signal: AbortSignal | undefined,
    timeoutMs = REQUEST_TIMEOUT_MS,
  ): Promise<HttpReply> {
    return inScope(signal, timeoutMs, (scope) =>
      this.#client.send(
        this.#destination(route),
        { headers: ['accept', 'application/json'], ...message },
        scope,
      ),
    );
  }

  #read(route: Route, reply: HttpReply): Record<string, unknown> {
    if (!isSuccess(reply)) throw this.#failure(route, reply);
    const record = parseObject(reply.body.toString('utf8'));
    if (record !== undefined) return record;
    throw protocolError(reply, 'no', 'answered with something that is no JSON object', route.control.place);
  }

  #failure(route: Route, reply: HttpReply): FaasError {
    return replyError(reply, this.#destination(route).place, this.#client.redact);
  }

  /** A server that knows only the job endpoint is asked there, health included. */
  #destination(route: Route): Destination {
    return this.#settings.api === 'functions' ? route.control : route.calls;
  }
}

/** Runs `work` in a scope that ends with the caller's signal or after `timeoutMs`. */
async function inScope<T>(
  signal: AbortSignal | undefined,
  timeoutMs: number,
  work: (scope: CallScope) => Promise<T>,
): Promise<T> {
  const scope = new CallScope(Date.now() + timeoutMs);
  const cancel = () => scope.cancel(cancelled(signal?.reason));
  if (signal?.aborted) cancel();
  else {
    scope.arm(timeoutMs);
    signal?.addEventListener('abort', cancel, { once: true });
  }
  try {
    return await work(scope);
  } finally {
    scope.disarm();
    signal?.removeEventListener('abort', cancel);
  }
}

/** A platform that accepts a deploy and does something else has not deployed it. */
function verify(
  route: Route,
  reply: HttpReply,
  record: Readonly<Record<string, unknown>>,
  artifact: Artifact,
  config: FunctionConfig,
): void {
  const expected = {
    function_id: route.functionName,
    status: 'deployed',
    memory_mb: config.memoryMb,
    timeout_secs: config.timeoutSecs,
    max_concurrency: config.maxConcurrency,
    sha256: artifact.sha256,
  };
  for (const [field, value] of Object.entries(expected)) {
    const echo = record[field];
    // Fields that a spec 1.0 platform leaves out prove nothing; `status` must be there.
    if (echo === undefined && field !== 'status') continue;
    if (value !== undefined && echo !== value) {
      throw protocolError(
        reply,
        'no',
        `did not honour the deploy: \`${field}\` differs`,
        route.control.place,
      );
    }
  }
}

function deployment(jobId: JobId, route: Route, record: Readonly<Record<string, unknown>>): Deployment {
  const { endpoint, deployed_at: deployedAt, sha256 } = record;
  return {
    jobId,
    functionName: route.functionName,
    provider: PROVIDER,
    endpoint:
      typeof endpoint === 'string' ? endpoint : `${route.control.place.origin}${route.functionPath}/invoke`,
    ...figure('memoryMb', record['memory_mb']),
    ...figure('timeoutSecs', record['timeout_secs']),
    ...figure('maxConcurrency', record['max_concurrency']),
    ...figure('artifactBytes', record['binary_size_bytes']),
    ...figure('coldStartMs', record['cold_start_ms']),
    ...(typeof deployedAt === 'string' ? { deployedAt } : {}),
    ...(typeof sha256 === 'string' ? { sha256 } : {}),
  };
}

function health(reply: HttpReply, failure: () => FaasError): Health {
  const body = parseObject(reply.body.toString('utf8')) ?? {};
  const { last_invocation: lastInvocation, total_invocations: totalInvocations, error } = body;
  if (reply.status === 404) return { status: 'missing' };
  // 503 is the spec's status of an unhealthy function; with a code it is the platform that cannot work.
  if (reply.status !== 503 && !isSuccess(reply)) throw failure();
  if (reply.status === 503 && typeof body['code'] === 'string') throw failure();
  const healthy = isSuccess(reply) && body['status'] !== 'unhealthy';
  return {
    status: healthy ? 'healthy' : 'unhealthy',
    ...(healthy ? {} : { reason: typeof error === 'string' ? error : `HTTP ${reply.status}` }),
    ...(typeof lastInvocation === 'string' ? { lastInvocation } : {}),
    ...(isFigure(totalInvocations) ? { totalInvocations } : {}),
  };
}

function notReady(route: Route, status: Health['status']): FaasError {
  const { provider, functionName, origin } = route.control.place;
  const message = `${origin} accepted ${functionName} and still calls it ${status} after ${READY_TIMEOUT_MS} ms.`;
  return new FaasError({ code: 'UNAVAILABLE', executed: 'no', provider, functionName, message });
}

/** Names the state a broken deploy left behind. Deploying again mends both. */
function halfDone(failure: unknown, route: Route, state: string): unknown {
  if (!FaasError.is(failure)) return failure;
  return failure.with({ message: `${route.functionName} ${state}; deploy it again. ${failure.message}` });
}

function isSuccess(reply: HttpReply): boolean {
  return reply.status >= 200 && reply.status <= 299;
}

function isFigure(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function figure<Name extends string>(name: Name, value: unknown): { [Key in Name]?: number } {
  return isFigure(value) ? ({ [name]: value } as { [Key in Name]?: number }) : {};
}
