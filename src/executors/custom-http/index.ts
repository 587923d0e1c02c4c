/** `HttpFaasExecutor`: jobs on any platform that speaks the custom-FaaS spec over HTTP. */
import type {
  Artifact,
  CallContext,
  Deployment,
  FaasExecutor,
  FunctionConfig,
  Health,
  LogEntry,
  LogOptions,
  ProviderLimits,
} from '../../core/executor.js';
import type { JobCall, JobId, JobResult } from '../../core/job.js';
import { PlatformClient } from './client.js';
import { Lifecycle } from './deploy.js';
import { invoke } from './invoke.js';
import { checkOptions, type HttpFaasExecutorOptions, PROVIDER } from './options.js';
import { Routes } from './routes.js';

export type { TlsOptions } from '../shared/origin-pool.js';
export type { AuthOptions, BearerAuth, HttpFaasExecutorOptions, OAuth2Auth } from './options.js';

/**
 * One executor for one platform. Making it does no I/O; the first request opens the first socket.
 *
 * ```ts
 * const executor = new HttpFaasExecutor({ baseUrl: 'http://127.0.0.1:8080' });
 * ```
 */
export class HttpFaasExecutor implements FaasExecutor {
  readonly provider = PROVIDER;
  readonly limits: ProviderLimits;
  readonly #client: PlatformClient;
  readonly #routes: Routes;
  readonly #lifecycle: Lifecycle;

  /** @throws {FaasError} CONFIG for an option that is missing, unknown or makes no sense. */
  constructor(options: HttpFaasExecutorOptions) {
    const settings = checkOptions(options);
    this.limits = settings.limits;
    this.#client = new PlatformClient(settings);
    this.#routes = new Routes(settings, this.#client);
    this.#lifecycle = new Lifecycle(settings, this.#client, this.#routes);
  }

  /** One attempt: one POST, or two when the first was refused with 401 and fresh credentials can be had. */
  invoke(call: JobCall, context: CallContext): Promise<JobResult> {
    return invoke(this.#client, this.#routes, call, context, this.limits.maxPayloadBytes);
  }

  /**
   * Uploads the artifact and waits until the platform calls the function healthy. Other content under the name is
   * replaced: in one step where the platform knows `replace=true`, else by DELETE and PUT (spec 1.0), with no
   * function in between.
   * @throws {FaasError} UNSUPPORTED with the name of a field the spec has no word for (`keepWarm`, `secrets`,
   * `labels`), CONFIG for a figure out of `limits`, else what the platform answered.
   */
  async deployJob(
    jobId: JobId,
    artifact: Artifact,
    config: Partial<FunctionConfig> = {},
    signal?: AbortSignal,
  ): Promise<Deployment> {
    return this.#lifecycle.deploy(jobId, artifact, config, signal);
  }

  async getDeployment(jobId: JobId, signal?: AbortSignal): Promise<Deployment | undefined> {
    return this.#lifecycle.describe(jobId, signal);
  }

  /** @throws {FaasError} UNSUPPORTED: spec 1.0 cannot list. */
  async listDeployments(): Promise<Deployment[]> {
    throw this.#lifecycle.unsupported('listDeployments', 'the custom-FaaS spec 1.0 has no list of functions');
  }

  async healthCheck(jobId: JobId, signal?: AbortSignal): Promise<Health> {
    return this.#lifecycle.health(jobId, signal);
  }

  /**
   * How many instances the platform says are warm now; 0 when it keeps none.
   * @param _instances the spec lets the platform choose the number.
   */
  async warm(jobId: JobId, _instances?: number, signal?: AbortSignal): Promise<number> {
    return this.#lifecycle.warm(jobId, signal);
  }

  async undeployJob(jobId: JobId, signal?: AbortSignal): Promise<void> {
    return this.#lifecycle.undeploy(jobId, signal);
  }

  /** @throws {FaasError} UNSUPPORTED: spec 1.0 has no logs. */
  // biome-ignore lint/correctness/useYield: it has nothing to yield, and says so when it is read.
  async *logs(_jobId: JobId, _options?: LogOptions): AsyncGenerator<LogEntry> {
    throw this.#lifecycle.unsupported('logs', 'the custom-FaaS spec 1.0 has none. Read them on the platform');
  }

  /** Lets calls in flight finish and closes the sockets. */
  async close(): Promise<void> {
    await this.#client.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
