/** What every operation of the life cycle does the same way: one request, one time-out, one record. */
import type { FaasError } from '../../core/errors.js';
import type { Deployment } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import type { HttpReply } from '../shared/http.js';
import { inScope } from '../shared/in-scope.js';
import type { Destination, Message, PlatformClient } from './client.js';
import type { Discovery } from './discovery.js';
import { protocolError, replyError } from './errors.js';
import { PROVIDER, type Settings } from './options.js';
import type { Route, Routes } from './routes.js';
import { parseObject } from './wire.js';

export const REQUEST_TIMEOUT_MS = 30_000;

export class Control {
  readonly settings: Settings;
  readonly client: PlatformClient;
  readonly routes: Routes;
  readonly discovery: Discovery;

  constructor(settings: Settings, client: PlatformClient, routes: Routes, discovery: Discovery) {
    this.settings = settings;
    this.client = client;
    this.routes = routes;
    this.discovery = discovery;
  }

  /** @throws {FaasError} UNSUPPORTED where the platform has job endpoints only. */
  route(jobId: JobId, operation: string): Route {
    this.checkLifecycle(operation);
    return this.routes.of(jobId);
  }

  checkLifecycle(operation: string): void {
    if (this.settings.api === 'functions') return;
    const why = "`api: 'job-endpoint'` has no life cycle. Deploy by the platform's own means";
    throw this.discovery.unsupported(operation, why);
  }

  send(
    to: Destination,
    message: Omit<Message, 'headers'> & Partial<Pick<Message, 'headers'>>,
    signal: AbortSignal | undefined,
    timeoutMs = REQUEST_TIMEOUT_MS,
  ): Promise<HttpReply> {
    const { headers = [], ...rest } = message;
    return inScope(signal, timeoutMs, (scope) =>
      this.client.send(to, { ...rest, headers: ['accept', 'application/json', ...headers] }, scope),
    );
  }

  /** The JSON object of a 2xx. */
  read({ place }: Destination, reply: HttpReply): Record<string, unknown> {
    if (!isSuccess(reply)) throw this.failure({ place }, reply);
    const record = parseObject(reply.body.toString('utf8'));
    if (record !== undefined) return record;
    throw protocolError(reply, 'no', 'answered with something that is no JSON object', place);
  }

  failure({ place }: Pick<Destination, 'place'>, reply: HttpReply): FaasError {
    return replyError(reply, place, this.client.redact);
  }
}

export function deployment(
  jobId: JobId,
  route: Route,
  record: Readonly<Record<string, unknown>>,
): Deployment {
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

export function isSuccess(reply: HttpReply): boolean {
  return reply.status >= 200 && reply.status <= 299;
}

export function isFigure(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function figure<Name extends string>(name: Name, value: unknown): { [Key in Name]?: number } {
  return isFigure(value) ? ({ [name]: value } as { [Key in Name]?: number }) : {};
}
