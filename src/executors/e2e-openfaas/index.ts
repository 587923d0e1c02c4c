/** `E2eOpenFaasExecutor`: jobs on an OpenFaaS-compatible gateway, and on E2E Functions by either of E2E's APIs. */
import type {
  Artifact,
  CallContext,
  Deployment,
  FaasExecutor,
  Health,
  LogEntry,
  LogOptions,
  ProviderLimits,
} from '../../core/executor.js';
import type { JobCall, JobId, JobResult } from '../../core/job.js';
import { Api } from './api.js';
import { type AsyncCall, invokeAsync } from './async-calls.js';
import type { CallbackReceiver } from './callbacks.js';
import { E2eProfile } from './e2e.js';
import { E2ePlatformProfile } from './e2e-platform.js';
import { Invoker } from './invoke.js';
import { Lifecycle } from './lifecycle.js';
import { OpenFaasProfile } from './openfaas.js';
import { type E2eOpenFaasExecutorOptions, type E2eOpenFaasFunctionConfig, PROVIDER } from './options.js';
import type { Profile } from './profile.js';
import { ServerSide } from './server-side.js';
import { checkOptions, type Settings } from './settings.js';

export type { AsyncCall } from './async-calls.js';
export type { GatewayAuth, Secret, TokenExchange } from './auth.js';
export { CallbackReceiver, type CallbackReceiverOptions } from './callbacks.js';
export { type DockerImageOptions, dockerImage } from './docker-image.js';
export { type FunctionId, type FunctionIds, fileFunctionIds, memoryFunctionIds } from './function-ids.js';
export { E2E_LIMITS, E2E_PLATFORM_LIMITS, OPENFAAS_LIMITS } from './limits.js';
export type {
  DeployProgress,
  E2eFunctionOptions,
  E2eOpenFaasExecutorOptions,
  E2eOpenFaasFunctionConfig,
  E2eOptions,
  E2ePlatformOptions,
  ImageBuild,
  OpenFaasFunctionOptions,
  OpenFaasOptions,
  ProfileName,
} from './options.js';
export { pythonHandler } from './python-entry.js';
export { type Hardware, RUNTIMES, type Runtime, runtimeNamed } from './runtimes.js';

/**
 * One executor for one namespace of a gateway or an account. Making it does no I/O.
 *
 * ```ts
 * const executor = new E2eOpenFaasExecutor({
 *   url: 'http://gateway:8080',
 *   auth: { basic: { user: 'admin', password: () => readFile('/run/secrets/gateway', 'utf8') } },
 * });
 * ```
 */
export class E2eOpenFaasExecutor implements FaasExecutor {
  readonly provider = PROVIDER;
  readonly limits: ProviderLimits;
  /** Secrets, namespaces and what the server says of itself. */
  readonly server: ServerSide;
  readonly #settings: Settings;
  readonly #api: Api;
  readonly #profile: Profile;
  readonly #invoker: Invoker;
  readonly #lifecycle: Lifecycle;

  /** @throws {FaasError} CONFIG for an option that is missing, unknown or makes no sense. */
  constructor(options: E2eOpenFaasExecutorOptions = {}) {
    this.#settings = checkOptions(options);
    this.limits = this.#settings.limits;
    this.#api = new Api(this.#settings);
    this.#profile = profileOf(this.#settings, this.#api);
    this.#invoker = new Invoker(this.#settings, this.#profile);
    this.#lifecycle = new Lifecycle(this.#settings, this.#profile, this.#invoker);
    this.server = new ServerSide(this.#settings, this.#profile);
  }

  /** One attempt: one POST; a second only where the first certainly ran nothing, for a stale token or address. */
  invoke(call: JobCall, context: CallContext): Promise<JobResult> {
    return this.#invoker.invoke(call, context);
  }

  /**
   * A call that the gateway's queue takes, and that no deadline of ours ends.
   * @param callback a receiver of ours, the URL of another one, or nothing: nobody learns of the result then
   * @throws {FaasError} UNSUPPORTED where there is no queue
   */
  invokeAsync(call: JobCall, context: CallContext, callback?: CallbackReceiver | string): Promise<AsyncCall> {
    return invokeAsync(this.#settings, this.#profile, this.#invoker, call, context, callback);
  }

  /**
   * Creates or updates, and waits until the function answers calls. The same content again writes nothing.
   * @throws {FaasError} UNSUPPORTED, CONFIG or PAYLOAD_TOO_LARGE with the name of the field, before anything is made
   */
  async deployJob(
    jobId: JobId,
    artifact: Artifact,
    config: Partial<E2eOpenFaasFunctionConfig> = {},
    signal?: AbortSignal,
  ): Promise<Deployment> {
    return this.#lifecycle.deploy(jobId, artifact, config, signal);
  }

  async getDeployment(jobId: JobId, signal?: AbortSignal): Promise<Deployment | undefined> {
    return this.#lifecycle.describe(jobId, signal);
  }

  /** Functions that carry a job id and the name this executor gives it; by the profile `e2e` those with a known id. */
  async listDeployments(signal?: AbortSignal): Promise<Deployment[]> {
    return this.#lifecycle.list(signal);
  }

  async healthCheck(jobId: JobId, signal?: AbortSignal): Promise<Health> {
    return this.#lifecycle.health(jobId, signal);
  }

  /** By pings that the entry answers without the job; `raw` functions are scaled instead. */
  async warm(jobId: JobId, instances = 1, signal?: AbortSignal): Promise<number> {
    return this.#lifecycle.warm(jobId, instances, signal);
  }

  /**
   * Resolves to the number of copies there shall be now: CE makes 1 to 5 of any number, without a word.
   * @throws {FaasError} UNSUPPORTED by the profile `e2e`
   */
  async scale(jobId: JobId, replicas: number, signal?: AbortSignal): Promise<number> {
    return this.#lifecycle.scale(jobId, replicas, signal);
  }

  async undeployJob(jobId: JobId, signal?: AbortSignal): Promise<void> {
    return this.#lifecycle.undeploy(jobId, signal);
  }

  async *logs(jobId: JobId, options: LogOptions = {}): AsyncGenerator<LogEntry> {
    yield* this.#lifecycle.logs(jobId, options);
  }

  /** Lets calls in flight finish and closes the sockets. */
  async close(): Promise<void> {
    await Promise.all([this.#api.close(), this.#invoker.close()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function profileOf(settings: Settings, api: Api): Profile {
  switch (settings.profile) {
    case 'openfaas':
      return new OpenFaasProfile(settings, api);
    case 'e2e':
      return new E2eProfile(settings, api);
    case 'e2e-platform':
      return new E2ePlatformProfile(settings, api);
  }
}
