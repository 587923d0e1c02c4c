/** `DigitalOceanExecutor`: jobs on DigitalOcean Functions. */
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
import { FunctionsApi } from './functions-api.js';
import { type Accepted, Invoker } from './invoke.js';
import { Lifecycle } from './lifecycle.js';
import { readLogs } from './logs.js';
import { Namespaces } from './namespace.js';
import {
  checkOptions,
  type DigitalOceanExecutorOptions,
  type DigitalOceanFunctionConfig,
  PROVIDER,
  type Settings,
} from './options.js';
import { warm } from './warm.js';

export type { Accepted } from './invoke.js';
export { DIGITALOCEAN_LIMITS } from './limits.js';
export type {
  DeployProgress,
  DigitalOceanExecutorOptions,
  DigitalOceanFunctionConfig,
  DigitalOceanFunctionOptions,
} from './options.js';

/**
 * One executor for one namespace of an account. Making it does no I/O; the namespace is made by the first deploy.
 *
 * ```ts
 * const executor = new DigitalOceanExecutor({ token: process.env.DIGITALOCEAN_TOKEN, region: 'fra1' });
 * ```
 */
export class DigitalOceanExecutor implements FaasExecutor {
  readonly provider = PROVIDER;
  readonly limits: ProviderLimits;
  readonly #settings: Settings;
  readonly #namespaces: Namespaces;
  readonly #api: FunctionsApi;
  readonly #invoker: Invoker;
  readonly #lifecycle: Lifecycle;

  /** @throws {FaasError} CONFIG for an option that is missing, unknown or makes no sense. */
  constructor(options: DigitalOceanExecutorOptions = {}) {
    this.#settings = checkOptions(options);
    this.limits = this.#settings.limits;
    this.#namespaces = new Namespaces(this.#settings);
    this.#api = new FunctionsApi(this.#settings, this.#namespaces);
    this.#invoker = new Invoker(this.#settings, this.#api);
    this.#lifecycle = new Lifecycle(this.#settings, this.#namespaces, this.#api);
  }

  /**
   * One attempt: one POST, or two when the first was refused for a key that has been rotated. A call of more than 30 s
   * goes on as an activation, which is asked for until the deadline.
   */
  invoke(call: JobCall, context: CallContext): Promise<JobResult> {
    return this.#invoker.invoke(call, context);
  }

  /** Hands the call over without waiting for it; `getResult` has its end. The job's deadline is the call's own. */
  invokeAsync(call: JobCall, context: CallContext): Promise<Accepted> {
    return this.#invoker.invokeAsync(call, context);
  }

  /**
   * Waits until the call has ended, also one that `invoke` gave up waiting for: its error has the `requestId`.
   * OpenWhisk does not tell a call that goes on from one it does not know, so an unknown id ends in TIMEOUT.
   * @throws {FaasError} what the call failed with, or TIMEOUT with `executed: 'maybe'`
   */
  getResult(jobId: JobId, requestId: string, context: CallContext): Promise<JobResult> {
    return this.#invoker.getResult(jobId, requestId, context);
  }

  /**
   * Creates or replaces the function; DigitalOcean has no waiting. The same content again writes nothing.
   * @throws {FaasError} UNSUPPORTED, CONFIG or PAYLOAD_TOO_LARGE with the name of the field, before anything is created
   */
  async deployJob(
    jobId: JobId,
    artifact: Artifact,
    config: Partial<DigitalOceanFunctionConfig> = {},
    signal?: AbortSignal,
  ): Promise<Deployment> {
    return this.#lifecycle.deploy(jobId, artifact, config, signal);
  }

  async getDeployment(jobId: JobId, signal?: AbortSignal): Promise<Deployment | undefined> {
    return this.#lifecycle.describe(jobId, signal);
  }

  /** The functions of the namespace that carry a job id and the name this executor gives it. */
  async listDeployments(signal?: AbortSignal): Promise<Deployment[]> {
    return this.#lifecycle.list(signal);
  }

  async healthCheck(jobId: JobId, signal?: AbortSignal): Promise<Health> {
    return this.#lifecycle.health(jobId, signal);
  }

  /**
   * Pings that the entry answers without the job; DigitalOcean takes the instances back when it likes. Resolves to how
   * many instances answered.
   * @throws {FaasError} UNSUPPORTED for a function without our entry, since a ping would run its code
   */
  async warm(jobId: JobId, instances = 1, signal?: AbortSignal): Promise<number> {
    return warm(this.#settings, this.#lifecycle, this.#invoker, jobId, instances, signal);
  }

  /** The namespace stays: others may use it. */
  async undeployJob(jobId: JobId, signal?: AbortSignal): Promise<void> {
    return this.#lifecycle.undeploy(jobId, signal);
  }

  async *logs(jobId: JobId, options: LogOptions = {}): AsyncGenerator<LogEntry> {
    yield* readLogs(this.#settings, this.#api, jobId, options);
  }

  /** Lets calls in flight finish and closes the sockets. */
  async close(): Promise<void> {
    await this.#namespaces.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
