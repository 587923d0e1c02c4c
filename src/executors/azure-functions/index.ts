/** `AzureFunctionExecutor`: jobs on Azure Functions. */
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
import { Origins } from '../shared/origins.js';
import { Access } from './access.js';
import { Arm } from './arm.js';
import { ControlHttp } from './control-http.js';
import { Deployer } from './deploy.js';
import { GroundWork } from './ground.js';
import { Invoker } from './invoke.js';
import { Lifecycle } from './lifecycle.js';
import { readLogs } from './logs.js';
import {
  type AzureFunctionConfig,
  type AzureFunctionExecutorOptions,
  checkOptions,
  PROVIDER,
  type Settings,
} from './options.js';
import { Removal } from './removal.js';
import { Scm } from './scm.js';
import { Tokens } from './tokens.js';

export { AZURE_LIMITS } from './limits.js';
export type {
  AppAccess,
  AzureFunctionConfig,
  AzureFunctionExecutorOptions,
  AzureFunctionOptions,
  AzurePlan,
  DeployProgress,
  TokenCredential,
} from './options.js';

/** A function runs 230 s at most. */
const SILENCE_TIMEOUT_MS = 300_000;

/**
 * One executor for one resource group: an app for each job. Making it does no I/O.
 *
 * ```ts
 * const executor = new AzureFunctionExecutor({ subscriptionId, location: 'westeurope' });
 * ```
 */
export class AzureFunctionExecutor implements FaasExecutor {
  readonly provider = PROVIDER;
  readonly limits: ProviderLimits;
  readonly #settings: Settings;
  readonly #origins: Origins;
  readonly #http: ControlHttp;
  readonly #invoker: Invoker;
  readonly #deployer: Deployer;
  readonly #lifecycle: Lifecycle;

  /** @throws {FaasError} CONFIG for an option that is missing, unknown or makes no sense. */
  constructor(options: AzureFunctionExecutorOptions = {}) {
    const settings = checkOptions(options);
    this.#settings = settings;
    this.limits = settings.limits;
    const { connections, connectTimeoutMs, tls, dispatcher } = settings;
    this.#origins = new Origins({
      owner: 'AzureFunctionExecutor',
      connections,
      connectTimeoutMs,
      silenceTimeoutMs: SILENCE_TIMEOUT_MS,
      tls,
      dispatcher,
    });
    this.#http = new ControlHttp(settings, new Tokens(settings.credential), this.#origins);
    const arm = new Arm(settings, this.#http);
    const access = new Access(arm);
    const ground = new GroundWork(arm);
    const scm = new Scm(settings, this.#http);
    this.#invoker = new Invoker(settings, access, this.#origins);
    const removal = new Removal(arm);
    const parts = { arm, access, ground, scm, removal, invoker: this.#invoker };
    this.#deployer = new Deployer(settings, parts);
    this.#lifecycle = new Lifecycle(settings, parts);
  }

  /**
   * One attempt: one POST, or two when the first was refused for a key that has been renewed. The first call of a job
   * asks Azure where its app is and for its key.
   */
  invoke(call: JobCall, context: CallContext): Promise<JobResult> {
    return this.#invoker.invoke(call, context);
  }

  /**
   * Makes what is missing (resource group, storage account, container, plan, app), writes what differs, uploads the
   * package and waits until the function answers. The same content again writes nothing.
   * @throws {FaasError} UNSUPPORTED, CONFIG or PAYLOAD_TOO_LARGE with the name of the field, before anything is created
   */
  async deployJob(
    jobId: JobId,
    artifact: Artifact,
    config: Partial<AzureFunctionConfig> = {},
    signal?: AbortSignal,
  ): Promise<Deployment> {
    return this.#deployer.deploy(jobId, artifact, config, signal);
  }

  async getDeployment(jobId: JobId, signal?: AbortSignal): Promise<Deployment | undefined> {
    return this.#lifecycle.describe(jobId, signal);
  }

  /** The apps of the resource group that carry our tags. Azure's list leaves out `timeoutSecs`. */
  async listDeployments(signal?: AbortSignal): Promise<Deployment[]> {
    return this.#lifecycle.list(signal);
  }

  /** Azure's word on the app, and a ping that its entry answers without the job. */
  async healthCheck(jobId: JobId, signal?: AbortSignal): Promise<Health> {
    return this.#lifecycle.health(jobId, signal);
  }

  /**
   * Pings that the entry answers without the job; `keepWarm` is what keeps instances. Resolves to how many answered.
   * @throws {FaasError} UNSUPPORTED for an app that is not known to have our entry, since a ping would run its code
   */
  async warm(jobId: JobId, instances = 1, signal?: AbortSignal): Promise<number> {
    return this.#lifecycle.warm(jobId, instances, signal);
  }

  /** Removes the app, its packages, and its plan when no other app is on it. Storage account and group stay. */
  async undeployJob(jobId: JobId, signal?: AbortSignal): Promise<void> {
    return this.#lifecycle.undeploy(jobId, signal);
  }

  /**
   * Removes what all jobs shared, when no app is left: plans, the storage account and the resource group, each only if
   * this executor has made it, the group only if nothing else is in it. Resolves to the names of what was removed.
   * @throws {FaasError} CONFLICT while there are apps
   */
  async removeShared(signal?: AbortSignal): Promise<string[]> {
    return this.#lifecycle.removeShared(signal);
  }

  /** Out of Application Insights, some minutes late. @throws {FaasError} UNSUPPORTED without `applicationInsights` */
  async *logs(jobId: JobId, options: LogOptions = {}): AsyncGenerator<LogEntry> {
    yield* readLogs(this.#settings, this.#http, jobId, options);
  }

  /** Lets calls in flight finish and closes the sockets. */
  async close(): Promise<void> {
    await this.#origins.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
