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
import { Control } from './control.js';
import { Deploys } from './deploy.js';
import { Discovery } from './discovery.js';
import { Calls } from './invoke.js';
import { Lifecycle } from './lifecycle.js';
import { Logs } from './logs.js';
import { checkOptions, type HttpFaasExecutorOptions, PROVIDER } from './options.js';
import { Routes } from './routes.js';
import { Versions } from './versions.js';

export type { TlsOptions } from '../shared/origin-pool.js';
export type { AuthOptions, BearerAuth, CallMode, HttpFaasExecutorOptions, OAuth2Auth } from './options.js';

/**
 * One executor for one platform. Making it does no I/O; the first request opens the first socket.
 *
 * ```ts
 * const executor = new HttpFaasExecutor({ baseUrl: 'http://127.0.0.1:8080' });
 * ```
 */
export class HttpFaasExecutor implements FaasExecutor {
  readonly provider = PROVIDER;
  readonly #client: PlatformClient;
  readonly #discovery: Discovery;
  readonly #calls: Calls;
  readonly #lifecycle: Lifecycle;
  readonly #deploys: Deploys;
  readonly #logs: Logs;

  /** @throws {FaasError} CONFIG for an option that is missing, unknown or makes no sense. */
  constructor(options: HttpFaasExecutorOptions) {
    const settings = checkOptions(options);
    this.#client = new PlatformClient(settings);
    const routes = new Routes(settings, this.#client);
    this.#discovery = new Discovery(settings, this.#client);
    this.#calls = new Calls(settings, this.#client, routes, this.#discovery);
    const control = new Control(settings, this.#client, routes, this.#discovery);
    const versions = new Versions(control);
    this.#lifecycle = new Lifecycle(control, versions);
    this.#deploys = new Deploys(control, versions, this.#lifecycle);
    this.#logs = new Logs(control);
  }

  /** Those of the spec and of the options; narrowed by those of the platform as soon as it was asked for them. */
  get limits(): ProviderLimits {
    return this.#discovery.limits;
  }

  /**
   * One attempt: one POST, or two when the first was refused with 401 and fresh credentials can be had. An
   * asynchronous one (option `mode`) asks for the result as often as it takes, which never runs the job again.
   */
  invoke(call: JobCall, context: CallContext): Promise<JobResult> {
    return this.#calls.invoke(call, context);
  }

  /**
   * Uploads the artifact and waits until the platform calls the function healthy. Other content under the name is
   * replaced: on a platform with `conditional-replace` only the version this executor saw last, so that another
   * deployer is a CONFLICT and not overwritten; else in one step where it knows `replace=true`, else by DELETE and
   * PUT (spec 1.0), with no function in between.
   * @throws {FaasError} UNSUPPORTED with the name of a field the spec has no word for (`keepWarm`, `secrets`,
   * `labels`), CONFIG for a figure out of `limits`, else what the platform answered.
   */
  async deployJob(
    jobId: JobId,
    artifact: Artifact,
    config: Partial<FunctionConfig> = {},
    signal?: AbortSignal,
  ): Promise<Deployment> {
    return this.#deploys.deploy(jobId, artifact, config, signal);
  }

  async getDeployment(jobId: JobId, signal?: AbortSignal): Promise<Deployment | undefined> {
    return this.#lifecycle.describe(jobId, signal);
  }

  /**
   * The functions of jobs: those whose name `functionName` gives for an id. Others on the platform are left out.
   * @throws {FaasError} UNSUPPORTED on a platform without the feature `list`.
   */
  async listDeployments(signal?: AbortSignal): Promise<Deployment[]> {
    return this.#lifecycle.list(signal);
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

  /**
   * Oldest first. Goes on after a broken connection without repeats; a followed log ends when its signal aborts, the
   * function is undeployed or the executor is closed.
   * @throws {FaasError} UNSUPPORTED on a platform without the feature `logs`, NOT_FOUND, and what an outage of two
   * minutes means.
   */
  logs(jobId: JobId, options: LogOptions = {}): AsyncIterable<LogEntry> {
    return this.#logs.read(jobId, options);
  }

  /** Lets calls in flight finish and closes the sockets. Ends the logs that are followed. */
  async close(): Promise<void> {
    this.#discovery.close();
    this.#logs.close();
    await this.#calls.close();
    await this.#client.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
