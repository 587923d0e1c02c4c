/** `LambdaExecutor`: jobs on AWS Lambda. */
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
import { inScope } from '../shared/in-scope.js';
import { ControlPlane } from './control-plane.js';
import { DataPlane } from './data-plane.js';
import { type Accepted, Invoker } from './invoke.js';
import { Lifecycle } from './lifecycle.js';
import { readLogs } from './logs.js';
import {
  checkOptions,
  type LambdaExecutorOptions,
  type LambdaFunctionConfig,
  PROVIDER,
  type Settings,
} from './options.js';
import { warm } from './warm.js';

export type { Encoding } from '../shared/entry/event.js';
export type { TlsOptions } from '../shared/origin-pool.js';
export type { AwsCredentials, CredentialSource } from './credentials.js';
export type { Accepted } from './invoke.js';
export { LAMBDA_LIMITS } from './limits.js';
export type {
  AwsFunctionOptions,
  DeployProgress,
  DeployStep,
  LambdaExecutorOptions,
  LambdaFunctionConfig,
  LogTail,
  UploadOptions,
} from './options.js';

const DRY_RUN_TIMEOUT_MS = 30_000;

/**
 * One executor for one account and region. Making it does no I/O.
 *
 * ```ts
 * const executor = new LambdaExecutor({ region: 'eu-central-1', aws: { role: 'arn:aws:iam::…:role/jobs' } });
 * ```
 */
export class LambdaExecutor implements FaasExecutor {
  readonly provider = PROVIDER;
  readonly limits: ProviderLimits;
  readonly #settings: Settings;
  readonly #plane: DataPlane;
  readonly #control: ControlPlane;
  readonly #invoker: Invoker;
  readonly #lifecycle: Lifecycle;

  /** @throws {FaasError} CONFIG for an option that is missing, unknown or makes no sense. */
  constructor(options: LambdaExecutorOptions = {}) {
    this.#settings = checkOptions(options);
    this.limits = this.#settings.limits;
    this.#plane = new DataPlane(this.#settings);
    this.#control = new ControlPlane(this.#settings, this.#plane);
    this.#invoker = new Invoker(this.#settings, this.#plane);
    this.#lifecycle = new Lifecycle(this.#settings, this.#control);
  }

  /** One attempt: one POST, or two when AWS refused the first for expired credentials or our clock. */
  invoke(call: JobCall, context: CallContext): Promise<JobResult> {
    return this.#invoker.invoke(call, context);
  }

  /**
   * Leaves the call to AWS, which runs it later and up to two times more when it fails: for idempotent jobs. The
   * result goes to `aws.onSuccessArn`, or nowhere.
   */
  invokeAsync(call: JobCall, context: CallContext): Promise<Accepted> {
    return this.#invoker.invokeAsync(call, context);
  }

  /**
   * One call of a function that was deployed with `aws.streaming`: its result as it comes, up to 200 MB. A job whose
   * handler returns an AsyncIterable of bytes gives its pieces, any other its encoded output. Leaving the loop closes
   * the connection, which the function does not notice.
   * @throws {FaasError} from the iteration, also after pieces have come: a function may fail in the middle
   */
  invokeStream(call: JobCall, context: CallContext): AsyncIterable<Uint8Array> {
    return this.#invoker.stream(call, context);
  }

  /**
   * Proves that the function could be called with these credentials, without running it.
   * @throws {FaasError} AUTH, NOT_FOUND, …: why it could not
   */
  dryRun(jobId: JobId, signal?: AbortSignal): Promise<void> {
    return inScope(signal, DRY_RUN_TIMEOUT_MS, (scope) => this.#invoker.dryRun(jobId, scope));
  }

  /**
   * Creates or updates the function, and resolves when it can be called. The same content again writes nothing; a
   * deploy that broke off is finished by the next one; a second deployer is noticed.
   * @throws {FaasError} UNSUPPORTED, CONFIG or PAYLOAD_TOO_LARGE with the name of the field, before anything is
   * created; else what AWS said, with what was done by then.
   */
  async deployJob(
    jobId: JobId,
    artifact: Artifact,
    config: Partial<LambdaFunctionConfig> = {},
    signal?: AbortSignal,
  ): Promise<Deployment> {
    return this.#lifecycle.deploy(jobId, artifact, config, signal);
  }

  async getDeployment(jobId: JobId, signal?: AbortSignal): Promise<Deployment | undefined> {
    return this.#lifecycle.describe(jobId, signal);
  }

  /** The functions of this region that carry a job id and the name this executor gives it. */
  async listDeployments(signal?: AbortSignal): Promise<Deployment[]> {
    return this.#lifecycle.list(signal);
  }

  async healthCheck(jobId: JobId, signal?: AbortSignal): Promise<Health> {
    return this.#lifecycle.health(jobId, signal);
  }

  /**
   * Starts up to `instances` (default 1) instances by events that the entry answers without the job; AWS takes them
   * back when it likes. To keep them, deploy with `keepWarm`.
   * A ping that AWS throttles is not counted.
   * @throws {FaasError} UNSUPPORTED for a function without our entry, since a ping would run its code; what a ping failed
   * with when none was answered
   */
  async warm(jobId: JobId, instances = 1, signal?: AbortSignal): Promise<number> {
    return warm(this.#settings, this.#lifecycle, this.#invoker, jobId, instances, signal);
  }

  async undeployJob(jobId: JobId, signal?: AbortSignal): Promise<void> {
    return this.#lifecycle.undeploy(jobId, signal);
  }

  /** From CloudWatch Logs, which shows entries some seconds after they were written. */
  async *logs(jobId: JobId, options: LogOptions = {}): AsyncGenerator<LogEntry> {
    yield* readLogs(this.#settings, this.#control, jobId, options);
  }

  /** Lets calls in flight finish and closes the sockets. */
  async close(): Promise<void> {
    await this.#plane.close();
    this.#control.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
