/** The life cycle of functions but for the deploy: describe, list, health, warm, undeploy. */
import type { FaasError } from '../../core/errors.js';
import type { Deployment, Health } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import type { HttpReply } from '../shared/http.js';
import { inScope } from '../shared/in-scope.js';
import { type Control, deployment, isFigure, isSuccess, REQUEST_TIMEOUT_MS } from './control.js';
import { protocolError } from './errors.js';
import type { Versions } from './versions.js';
import { isObject, parseObject } from './wire.js';

/** The most records a page may have (spec 1.1). */
const PAGE_SIZE = 1000;

export class Lifecycle {
  readonly #control: Control;
  readonly #versions: Versions;

  constructor(control: Control, versions: Versions) {
    this.#control = control;
    this.#versions = versions;
  }

  async describe(jobId: JobId, signal: AbortSignal | undefined): Promise<Deployment | undefined> {
    const route = this.#control.route(jobId, 'getDeployment');
    const record = await this.#versions.look(route, signal);
    return record === undefined ? undefined : deployment(jobId, route, record);
  }

  /** Every page. Functions that belong to no job of this executor are left out. */
  async list(signal: AbortSignal | undefined): Promise<Deployment[]> {
    const { discovery, client, settings, routes } = this.#control;
    this.#control.checkLifecycle('listDeployments');
    await inScope(signal, REQUEST_TIMEOUT_MS, (scope) => discovery.require('list', 'listDeployments', scope));
    const to = client.destination('the list of functions');
    const found: Deployment[] = [];
    for (let after: string | undefined; ; ) {
      const from = after === undefined ? '' : `&after=${encodeURIComponent(after)}`;
      const path = `${settings.prefix}/api/functions?limit=${PAGE_SIZE}${from}`;
      const reply = await this.#control.send(to, { method: 'GET', path }, signal);
      const { functions, next } = this.#control.read(to, reply);
      if (!Array.isArray(functions))
        throw protocolError(reply, 'no', 'answered without `functions`', to.place);
      for (const record of functions.filter(isObject)) {
        const name = record['function_id'];
        const jobId = typeof name === 'string' ? routes.jobOf(name) : undefined;
        if (jobId !== undefined) found.push(deployment(jobId, routes.of(jobId), record));
      }
      if (typeof next !== 'string') return found;
      if (next === after) throw protocolError(reply, 'no', 'gave the same page of its list twice', to.place);
      after = next;
    }
  }

  async health(jobId: JobId, signal: AbortSignal | undefined): Promise<Health> {
    const { routes, settings } = this.#control;
    const route = routes.of(jobId);
    // A server that knows only the job endpoint is asked there.
    const [to, request] =
      settings.api === 'functions'
        ? [route.control, { method: 'GET', path: `${route.functionPath}/health` } as const]
        : [route.calls, { method: 'HEAD', path: route.invokePath } as const];
    const reply = await this.#control.send(to, request, signal);
    return health(reply, () => this.#control.failure(to, reply));
  }

  async warm(jobId: JobId, signal: AbortSignal | undefined): Promise<number> {
    const route = this.#control.route(jobId, 'warm');
    const request = { method: 'POST', path: `${route.functionPath}/warm` } as const;
    const reply = await this.#control.send(route.control, request, signal);
    // Warming is optional in the spec: without it nothing is kept warm.
    if (reply.status === 405 || reply.status === 501) return 0;
    if (reply.status === 404 && (await this.describe(jobId, signal)) !== undefined) return 0;
    const warmed = this.#control.read(route.control, reply)['instances_warmed'];
    if (isFigure(warmed)) return warmed;
    throw protocolError(reply, 'no', 'did not say how many instances are warm', route.control.place);
  }

  async undeploy(jobId: JobId, signal: AbortSignal | undefined): Promise<void> {
    await this.#versions.remove(this.#control.route(jobId, 'undeployJob'), signal);
  }
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
