/** The interfaces of the house: the data plane a runner needs, and the life cycle beside it. */
import type { FaasError } from './errors.js';
import type { JobCall, JobId, JobResult } from './job.js';

/** What a runner needs and what layers wrap: one verb. */
export interface FaasInvoker {
  /** Stable provider id for logs, metrics and errors, for example `custom-http`. */
  readonly provider: string;
  /** What the provider can take; a runner checks its jobs against it before anything starts. */
  readonly limits: ProviderLimits;
  /**
   * Makes exactly one attempt.
   * @throws {FaasError} always, with `executed` telling the truth about this attempt.
   */
  invoke(call: JobCall, context: CallContext): Promise<JobResult>;
  /** Frees what is held. Calling it twice is fine; calls after it fail with CONFIG. */
  close?(): Promise<void>;
}

/** Cancellation and time, shared by everything that works on one call. */
export interface CallContext {
  /** Epoch milliseconds; `Infinity` for no deadline. */
  readonly deadline: number;
  /** Made on first use: one AbortSignal per call costs 20-30 % of the request rate. */
  readonly signal: AbortSignal;
  /**
   * Calls `listener` once when the call is cancelled or its deadline passes; at once if that has happened.
   * Returns the unsubscribe function. Hot paths use this instead of `signal`.
   */
  onCancel(listener: (reason: FaasError) => void): () => void;
}

/** The control plane: bring a job's function into being, look at it, take it away. */
export interface FaasLifecycle {
  /** Creates or updates. Resolves when the function can be invoked. The same content again changes nothing. */
  deployJob(
    jobId: JobId,
    artifact: Artifact,
    config?: Partial<FunctionConfig>,
    signal?: AbortSignal,
  ): Promise<Deployment>;
  /** Undefined when the job's function is not there. */
  getDeployment(jobId: JobId, signal?: AbortSignal): Promise<Deployment | undefined>;
  /** All functions that jobferry deployed there, in no particular order. */
  listDeployments(signal?: AbortSignal): Promise<Deployment[]>;
  /** A function that is missing or unhealthy is an answer, not an error. */
  healthCheck(jobId: JobId, signal?: AbortSignal): Promise<Health>;
  /** Prepares instances without running the job; resolves to how many are warm now. */
  warm(jobId: JobId, instances?: number, signal?: AbortSignal): Promise<number>;
  /** Twice is fine. */
  undeployJob(jobId: JobId, signal?: AbortSignal): Promise<void>;
  /** What the function wrote, oldest first. Ends after what is there, unless `follow` is set. */
  logs(jobId: JobId, options?: LogOptions): AsyncIterable<LogEntry>;
}

/** An executor with both planes, as all in this package are: it calls functions, and brings them into being. */
export interface FaasExecutor extends FaasInvoker, FaasLifecycle {}

/** What a provider can take, as data. An absent limit is one the provider does not state. */
export interface ProviderLimits {
  /** The largest encoded input of a call, in bytes. */
  readonly maxPayloadBytes?: number;
  /** The largest encoded output, in bytes. */
  readonly maxResultBytes?: number;
  /** MiB of a function. */
  readonly memoryMb?: NumberRange;
  /** Seconds after which the provider ends a call. */
  readonly timeoutSecs?: NumberRange;
  /** What `FunctionConfig.maxConcurrency` may be. */
  readonly maxConcurrency?: NumberRange;
  /** The largest upload of a deploy, in bytes. */
  readonly maxArtifactBytes?: number;
  /** What a function name must match. */
  readonly namePattern?: RegExp;
  /** The day these figures were read, `YYYY-MM-DD`. */
  readonly asOf: string;
  /** Where they were read. */
  readonly source: string;
}

/** The numbers a provider takes for a setting: integers from `min` to `max`, both included. */
export interface NumberRange {
  readonly min: number;
  readonly max: number;
  /** Values must be `min` plus a multiple of this; absent means any integer. */
  readonly step?: number;
}

/** How a function shall run. What a provider cannot honour is refused at deploy with the field's name. */
export interface FunctionConfig {
  /** Default 512. */
  readonly memoryMb: number;
  /** Default 300. */
  readonly timeoutSecs: number;
  /** Environment variables of the function. Default: none. */
  readonly env: Readonly<Record<string, string>>;
  /** The most calls the provider may run at once; absent leaves it to the provider. */
  readonly maxConcurrency?: number;
  /** How many instances stay warm; absent or 0 for none. */
  readonly keepWarm?: number;
  /** Environment name -> reference to a secret that the provider keeps. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Labels, or tags, that the provider keeps beside the function. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** What is uploaded. */
export interface Artifact {
  /** The one format there is. */
  readonly format: 'zip';
  /** The whole archive. */
  readonly bytes: Uint8Array;
  /** Lower-case hex SHA-256 of `bytes`. */
  readonly sha256: string;
}

/** A function as its provider describes it. */
export interface Deployment {
  readonly jobId: JobId;
  /** The name the provider knows it by. */
  readonly functionName: string;
  /** The provider id of the executor. */
  readonly provider: string;
  /** Where it is invoked, as reported by the provider. */
  readonly endpoint: string;
  /** MiB. */
  readonly memoryMb?: number;
  /** Seconds after which the provider ends a call. */
  readonly timeoutSecs?: number;
  /** The most calls at once, where the provider was told. */
  readonly maxConcurrency?: number;
  /** RFC 3339. */
  readonly deployedAt?: string;
  /** The size of the upload. */
  readonly artifactBytes?: number;
  /** Lower-case hex SHA-256 of the artifact. */
  readonly sha256?: string;
  /** Measured by the provider, absent otherwise. */
  readonly coldStartMs?: number;
}

/** How a function is, as far as its provider tells. */
export interface Health {
  /** `missing`: it is not deployed. */
  readonly status: 'healthy' | 'unhealthy' | 'missing';
  /** Why it is not healthy, in the provider's words. */
  readonly reason?: string;
  /** RFC 3339. */
  readonly lastInvocation?: string;
  /** As the provider counts them. */
  readonly totalInvocations?: number;
}

/** Which log entries are wanted. */
export interface LogOptions {
  /** Nothing older. Default: all that the provider keeps. */
  readonly since?: Date;
  /** Keep waiting for new entries. Default false. */
  readonly follow?: boolean;
  /** At most this many of the newest entries. */
  readonly tail?: number;
  /** Only what this call wrote. */
  readonly callId?: string;
  /** Ends the reading, and the wait of `follow`. */
  readonly signal?: AbortSignal;
}

/** One line, or message, of a function's log. */
export interface LogEntry {
  /** When it was written, by the provider's clock. */
  readonly time: Date;
  /** Without the line break at its end. */
  readonly message: string;
  /** The call that wrote it, where the provider tells. */
  readonly callId?: string;
  /** `platform`: what the platform says about the call. */
  readonly stream?: 'stdout' | 'stderr' | 'platform';
  /** The provider cut the message. */
  readonly truncated?: boolean;
}
