/** Deploys: an upload that replaces what it must, checked, and waited for until the function answers. */
import { FaasError } from '../../core/errors.js';
import type { Artifact, Deployment, FunctionConfig, Health } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { sleep } from '../../core/scope.js';
import type { HttpReply } from '../shared/http.js';
import { inScope } from '../shared/in-scope.js';
import { type Control, deployment, REQUEST_TIMEOUT_MS } from './control.js';
import { blueprintConfig, checkArtifact, checkConfig } from './deploy-config.js';
import { protocolError } from './errors.js';
import type { Lifecycle } from './lifecycle.js';
import type { Route } from './routes.js';
import type { Versions } from './versions.js';

/** How long a platform that deploys step by step may take until its function answers. */
const READY_TIMEOUT_MS = 5000;
const READY_POLL_MS = 100;

export class Deploys {
  readonly #control: Control;
  readonly #versions: Versions;
  readonly #lifecycle: Lifecycle;

  constructor(control: Control, versions: Versions, lifecycle: Lifecycle) {
    this.#control = control;
    this.#versions = versions;
    this.#lifecycle = lifecycle;
  }

  async deploy(
    jobId: JobId,
    artifact: Artifact,
    partial: Partial<FunctionConfig>,
    signal: AbortSignal | undefined,
  ): Promise<Deployment> {
    const { discovery } = this.#control;
    const route = this.#control.route(jobId, 'deployJob');
    const check = (): FunctionConfig => {
      checkArtifact(artifact, discovery.limits, route.functionName);
      return checkConfig(partial, discovery.limits, route.functionName);
    };
    // Before anything is sent, and again with what the platform says of itself.
    check();
    const { features } = await inScope(signal, REQUEST_TIMEOUT_MS, (scope) => discovery.learn(scope));
    const config = check();
    const headers = ['content-type', 'application/zip', 'x-blueprint-config', blueprintConfig(config)];
    const reply = features.has('conditional-replace')
      ? await this.#versions.replaceSeen(route, headers, artifact.bytes, signal)
      : await this.#replace(route, headers, artifact.bytes, signal);
    const record = this.#control.read(route.control, reply);
    verify(route, reply, record, artifact, config);
    await this.#ready(jobId, route, signal);
    return deployment(jobId, route, record);
  }

  /**
   * PUT; where other content stands under the name, PUT with `replace=true`, which switches in one step; where
   * the platform (spec 1.0) does not know that either, DELETE and PUT, with no function in between.
   */
  async #replace(
    route: Route,
    headers: readonly string[],
    body: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<HttpReply> {
    const put = (query: string) => this.#versions.put(route, query, headers, body, signal);
    let reply = await put('');
    if (reply.status === 409) reply = await put('?replace=true');
    if (reply.status !== 409) return reply;
    await this.#versions.remove(route, signal);
    try {
      reply = await put('');
      this.#control.read(route.control, reply);
      return reply;
    } catch (failure) {
      throw halfDone(failure, route, 'was removed to make room and its new version was not deployed');
    }
  }

  /** A deploy is over when the function can be called. */
  async #ready(jobId: JobId, route: Route, signal: AbortSignal | undefined): Promise<void> {
    const endsAtMs = performance.now() + READY_TIMEOUT_MS;
    try {
      for (;;) {
        const { status } = await this.#lifecycle.health(jobId, signal);
        if (status === 'healthy') return;
        if (performance.now() >= endsAtMs) throw notReady(route, status);
        await inScope(signal, REQUEST_TIMEOUT_MS, (scope) => sleep(READY_POLL_MS, scope));
      }
    } catch (failure) {
      throw halfDone(failure, route, 'was uploaded but is not known to work');
    }
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
