/** `CloudFunctionExecutor`: jobs on Google Cloud Functions (2nd gen), which Google now calls Cloud Run functions. */
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
import { Addresses } from './addresses.js';
import { ControlPlane } from './control-plane.js';
import { Invoker } from './invoke.js';
import { Lifecycle } from './lifecycle.js';
import { readLogs } from './logs.js';
import {
  type CloudFunctionExecutorOptions,
  checkOptions,
  type GcpFunctionConfig,
  PROVIDER,
  type Settings,
} from './options.js';
import { Rest } from './rest.js';
import { Tokens } from './tokens.js';

export { GCP_LIMITS } from './limits.js';
export type {
  CloudFunctionExecutorOptions,
  DeployProgress,
  DeployStep,
  GcpFunctionConfig,
  GcpFunctionOptions,
} from './options.js';

/** The longest a function may run is an hour. */
const SILENCE_TIMEOUT_MS = 3_700_000;

/**
 * One executor for one project and region. Making it does no I/O and loads no package of Google's.
 *
 * ```ts
 * const executor = new CloudFunctionExecutor({ project: 'my-project', region: 'europe-west1' });
 * ```
 */
export class CloudFunctionExecutor implements FaasExecutor {
  readonly provider = PROVIDER;
  readonly limits: ProviderLimits;
  readonly #settings: Settings;
  readonly #origins: Origins;
  readonly #control: ControlPlane;
  readonly #rest: Rest;
  readonly #invoker: Invoker;
  readonly #lifecycle: Lifecycle;

  /** @throws {FaasError} CONFIG for an option that is missing, unknown or makes no sense. */
  constructor(options: CloudFunctionExecutorOptions) {
    const settings = checkOptions(options);
    const { connections, connectTimeoutMs, dispatcher } = settings;
    const tokens = new Tokens(settings);
    this.#settings = settings;
    this.limits = settings.limits;
    this.#origins = new Origins({
      owner: 'CloudFunctionExecutor',
      connections,
      connectTimeoutMs,
      silenceTimeoutMs: SILENCE_TIMEOUT_MS,
      dispatcher,
    });
    this.#control = new ControlPlane(settings, tokens);
    this.#rest = new Rest(settings, tokens, this.#origins);
    const addresses = new Addresses(settings, this.#control);
    this.#invoker = new Invoker(settings, this.#origins, tokens, addresses);
    this.#lifecycle = new Lifecycle(settings, this.#control, this.#rest, addresses, this.#invoker);
  }

  /** One attempt: one POST, or two when the first was refused before anything ran, for an old token or address. */
  invoke(call: JobCall, context: CallContext): Promise<JobResult> {
    return this.#invoker.invoke(call, context);
  }

  /**
   * Creates or updates the function and waits for its build, one to four minutes. The same content writes nothing.
   * @throws {FaasError} UNSUPPORTED, CONFIG or PAYLOAD_TOO_LARGE with the name of the field, before anything is created;
   * later with Google's reason, the stage that failed and where its log is
   */
  async deployJob(
    jobId: JobId,
    artifact: Artifact,
    config: Partial<GcpFunctionConfig> = {},
    signal?: AbortSignal,
  ): Promise<Deployment> {
    return this.#lifecycle.deploy(jobId, artifact, config, signal);
  }

  async getDeployment(jobId: JobId, signal?: AbortSignal): Promise<Deployment | undefined> {
    return this.#lifecycle.describe(jobId, signal);
  }

  /** All pages; only functions that carry a job id and the name this executor gives it. */
  async listDeployments(signal?: AbortSignal): Promise<Deployment[]> {
    return this.#lifecycle.list(signal);
  }

  /** By the function's state; its code is not run. */
  async healthCheck(jobId: JobId, signal?: AbortSignal): Promise<Health> {
    return this.#lifecycle.health(jobId, signal);
  }

  /** Pings that the entry answers without the job. `keepWarm` at deploy keeps instances for good. */
  async warm(jobId: JobId, instances = 1, signal?: AbortSignal): Promise<number> {
    return this.#lifecycle.warm(jobId, instances, signal);
  }

  /** Images of builds stay in Artifact Registry (`gcf-artifacts`). */
  async undeployJob(jobId: JobId, signal?: AbortSignal): Promise<void> {
    return this.#lifecycle.undeploy(jobId, signal);
  }

  async *logs(jobId: JobId, options: LogOptions = {}): AsyncGenerator<LogEntry> {
    yield* readLogs(this.#settings, this.#rest, jobId, options);
  }

  /** Lets calls in flight finish and closes the sockets. */
  async close(): Promise<void> {
    await Promise.all([this.#origins.close(), this.#control.close()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
