/** MemoryExecutor: runs jobs in this process, behind the interface of every executor. Read this one first. */
import { isDeepStrictEqual } from 'node:util';
import type { AnyJob } from '../../core/define-job.js';
import { runJob } from '../../core/entry.js';
import { FaasError, type FaasErrorOptions } from '../../core/errors.js';
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
import { checkJobId, type JobCall, type JobId, type JobResult } from '../../core/job.js';
import { ChildScope, cancelled, sleep } from '../../core/scope.js';
import { checkConfig } from './check-config.js';
import { LogBook } from './log-book.js';

export interface MemoryExecutorOptions {
  /** What can be deployed. All of it is deployed from the start. */
  readonly jobs?: readonly AnyJob[];
  /** Limits to enforce, for example those of the provider that comes later. Default: none. */
  readonly limits?: Partial<ProviderLimits>;
  /** Milliseconds each call waits before it runs, like a network. Default 0. */
  readonly latencyMs?: number;
}

interface DeployedFunction {
  readonly job: AnyJob;
  deployment: Deployment;
  readonly log: LogBook;
  calls: number;
  inFlight: number;
  lastCall?: Date;
}

const PROVIDER = 'memory';

/**
 * For tests, for development, and as the pattern of an executor. `timeoutSecs` and `maxConcurrency` are enforced;
 * `memoryMb` is checked and recorded, since the functions share the memory of this process.
 */
export class MemoryExecutor implements FaasExecutor {
  readonly provider = PROVIDER;
  readonly limits: ProviderLimits;
  readonly #jobs = new Map<JobId, AnyJob>();
  readonly #functions = new Map<JobId, DeployedFunction>();
  readonly #latencyMs: number;
  #closed = false;

  /** @throws {FaasError} CONFIG when two jobs have one id. */
  constructor({ jobs = [], limits = {}, latencyMs = 0 }: MemoryExecutorOptions = {}) {
    this.limits = { asOf: '2026-11-20', source: 'this process', ...limits };
    this.#latencyMs = latencyMs;
    for (const job of jobs) {
      if (this.#jobs.has(job.id))
        throw failure('CONFIG', `Two jobs have the id ${job.id}: give each its own.`);
      this.#jobs.set(job.id, job);
      this.#put(job, {});
    }
  }

  /** @throws {FaasError} NOT_FOUND, PAYLOAD_TOO_LARGE, THROTTLED (`executed: no`), and what the job throws. */
  async invoke(call: JobCall, context: CallContext): Promise<JobResult> {
    const startedMs = performance.now();
    const target = this.#get(call.jobId);
    const { job, deployment } = target;
    checkSize('input', job, call.args, this.limits.maxPayloadBytes, 'no');
    if (target.inFlight >= (deployment.maxConcurrency ?? Infinity)) {
      throw failure('THROTTLED', `Job "${job.name}" has its ${deployment.maxConcurrency} calls in flight.`);
    }
    target.inFlight += 1;
    const scope = new ChildScope(
      context,
      deployment.timeoutSecs === undefined ? Infinity : deployment.timeoutSecs * 1000,
    );
    try {
      const latency = this.#latencyMs > 0 ? sleep(this.#latencyMs, scope) : Promise.resolve();
      await untilCancelled(latency, scope, 'no');
      const runStartedMs = performance.now();
      target.calls += 1;
      target.lastCall = new Date();
      target.log.add(call.callId, `attempt ${call.attempt} started`);
      // A schema that validates asynchronously leaves open whether the handler was reached.
      const executed = job.input === undefined ? 'yes' : 'maybe';
      // Copies, because a real function never shares memory with its caller.
      const ownCall: JobCall = Object.create(call, {
        args: { value: new Uint8Array(call.args), enumerable: true },
      });
      const output = await untilCancelled(runJob(job, ownCall, scope, PROVIDER), scope, executed);
      checkSize('output', job, output, this.limits.maxResultBytes, 'yes');
      const nowMs = performance.now();
      target.log.add(call.callId, 'ended: ok');
      return {
        result: new Uint8Array(output),
        metadata: call.metadata,
        metrics: { totalMs: nowMs - startedMs, executionMs: nowMs - runStartedMs },
      };
    } catch (error) {
      target.log.add(call.callId, `ended: ${FaasError.is(error) ? error.code : 'failed'}`);
      throw error;
    } finally {
      target.inFlight -= 1;
      scope.dispose();
    }
  }

  /** Deploys a job of the constructor's `jobs`; the artifact is recorded, not run. */
  async deployJob(
    jobId: JobId,
    artifact: Artifact,
    config: Partial<FunctionConfig> = {},
    signal?: AbortSignal,
  ): Promise<Deployment> {
    this.#checkOpen(signal);
    const job = this.#jobs.get(checkJobId(jobId));
    if (job === undefined) {
      const known = [...this.#jobs.keys()].join(', ') || 'none';
      throw failure(
        'NOT_FOUND',
        `Job ${jobId} is not known here (known: ${known}): new MemoryExecutor({ jobs: [job] }).`,
      );
    }
    checkConfig(config, artifact, this.limits, PROVIDER);
    return this.#put(job, config, artifact).deployment;
  }

  async getDeployment(jobId: JobId, signal?: AbortSignal): Promise<Deployment | undefined> {
    this.#checkOpen(signal);
    return this.#functions.get(checkJobId(jobId))?.deployment;
  }

  async listDeployments(signal?: AbortSignal): Promise<Deployment[]> {
    this.#checkOpen(signal);
    return [...this.#functions.values()].map(({ deployment }) => deployment);
  }

  async healthCheck(jobId: JobId, signal?: AbortSignal): Promise<Health> {
    this.#checkOpen(signal);
    const target = this.#functions.get(checkJobId(jobId));
    if (target === undefined) return { status: 'missing' };
    const health: Health = { status: 'healthy', totalInvocations: target.calls };
    return target.lastCall === undefined
      ? health
      : { ...health, lastInvocation: target.lastCall.toISOString() };
  }

  /** Resolves to 1 whatever was asked: the one instance is this process, and it is always warm. */
  async warm(jobId: JobId, _instances?: number, signal?: AbortSignal): Promise<number> {
    this.#checkOpen(signal);
    this.#get(jobId);
    return 1;
  }

  async undeployJob(jobId: JobId, signal?: AbortSignal): Promise<void> {
    this.#checkOpen(signal);
    this.#functions.get(checkJobId(jobId))?.log.end();
    this.#functions.delete(jobId);
  }

  /** The start and end of each call. Followers end when their signal aborts, on undeploy and on close. */
  async *logs(jobId: JobId, options: LogOptions = {}): AsyncIterable<LogEntry> {
    yield* this.#get(jobId).log.read(options);
  }

  /** Calls in flight end as they would have. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { log } of this.#functions.values()) log.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #put(job: AnyJob, config: Partial<FunctionConfig>, artifact?: Artifact): DeployedFunction {
    const deployment = describe(job, config, artifact);
    const target = this.#functions.get(job.id);
    if (target === undefined) {
      const added: DeployedFunction = { job, deployment, log: new LogBook(), calls: 0, inFlight: 0 };
      this.#functions.set(job.id, added);
      return added;
    }
    const { deployedAt } = target.deployment;
    const same = isDeepStrictEqual({ ...deployment, deployedAt }, target.deployment);
    if (!same) target.deployment = deployment;
    return target;
  }

  #get(jobId: JobId): DeployedFunction {
    this.#checkOpen();
    const target = this.#functions.get(checkJobId(jobId));
    if (target !== undefined) return target;
    throw failure(
      'NOT_FOUND',
      `Job ${jobId} is not deployed on memory: new MemoryExecutor({ jobs: [job] }) or deployJob.`,
    );
  }

  #checkOpen(signal?: AbortSignal): void {
    if (this.#closed) throw failure('CONFIG', 'This MemoryExecutor is closed: make a new one.');
    if (signal?.aborted) throw cancelled(signal.reason).with({ provider: PROVIDER, executed: 'no' });
  }
}

function describe(job: AnyJob, config: Partial<FunctionConfig>, artifact: Artifact | undefined): Deployment {
  const { memoryMb, timeoutSecs, maxConcurrency } = config;
  return {
    jobId: job.id,
    functionName: job.name,
    provider: PROVIDER,
    endpoint: `memory://job${job.id}`,
    deployedAt: new Date().toISOString(),
    ...(memoryMb !== undefined && { memoryMb }),
    ...(timeoutSecs !== undefined && { timeoutSecs }),
    ...(maxConcurrency !== undefined && { maxConcurrency }),
    ...(artifact !== undefined && { artifactBytes: artifact.bytes.length, sha256: artifact.sha256 }),
  };
}

/** Settles with `work`, or as soon as the call is cancelled, with what is known about the function by then. */
function untilCancelled<T>(
  work: Promise<T>,
  scope: ChildScope,
  executed: 'no' | 'maybe' | 'yes',
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    scope.onCancel((reason) => reject(reason.with({ provider: PROVIDER, executed })));
    work.then(resolve, reject);
  });
}

function checkSize(
  side: 'input' | 'output',
  job: AnyJob,
  bytes: Uint8Array,
  limit: number | undefined,
  executed: 'no' | 'yes',
): void {
  if (limit === undefined || bytes.length <= limit) return;
  const message = `The ${side} of job "${job.name}" has ${bytes.length} bytes, the limit of memory is ${limit}.`;
  throw failure('PAYLOAD_TOO_LARGE', message, { executed });
}

function failure(
  code: FaasErrorOptions['code'],
  message: string,
  facts: Partial<FaasErrorOptions> = {},
): FaasError {
  return new FaasError({ code, message, executed: 'no', provider: PROVIDER, ...facts });
}
