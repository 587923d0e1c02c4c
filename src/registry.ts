/** The registry: which jobs run on a FaaS, and on which executor. Safe to change while a runner runs. */
import { FaasError } from './core/errors.js';
import type { FaasInvoker } from './core/executor.js';
import { checkJobId, type JobId } from './core/job.js';

/** Job id -> executor. A runner has one as `runner.registry`; jobs without an entry run in the process. */
export class FaasRegistry {
  readonly #executors = new Map<JobId, FaasInvoker>();
  #version = 0;

  /** Grows with every change, so that whoever caches a look-up knows when to look again. */
  get version(): number {
    return this.#version;
  }

  /**
   * Sends `jobId` to `executor` from now on.
   * @throws {FaasError} CONFIG for an id that is no u32 or something that cannot invoke; CONFLICT when the job
   * has an executor already: `replace` says that you mean it.
   */
  register(jobId: JobId, executor: FaasInvoker): void {
    checkJobId(jobId);
    if (this.#executors.has(jobId)) {
      throw new FaasError({
        code: 'CONFLICT',
        executed: 'no',
        message: `Job ${jobId} is registered on ${this.#executors.get(jobId)?.provider} already. Use replace() to move it.`,
      });
    }
    this.#set(jobId, executor);
  }

  /** Registers or moves a job; returns the executor it had. Calls under way keep that one. */
  replace(jobId: JobId, executor: FaasInvoker): FaasInvoker | undefined {
    checkJobId(jobId);
    const previous = this.#executors.get(jobId);
    this.#set(jobId, executor);
    return previous;
  }

  /** Brings a job back to its local handler; returns the executor it had. Calls under way keep that one. */
  unregister(jobId: JobId): FaasInvoker | undefined {
    checkJobId(jobId);
    const previous = this.#executors.get(jobId);
    if (this.#executors.delete(jobId)) this.#version += 1;
    return previous;
  }

  /** The executor of a job; undefined for one that runs in the process. */
  get(jobId: JobId): FaasInvoker | undefined {
    return this.#executors.get(jobId);
  }

  /** Does the job run on an executor? */
  isFaasJob(jobId: JobId): boolean {
    return this.#executors.has(jobId);
  }

  /** In ascending order. */
  jobIds(): JobId[] {
    return [...this.#executors.keys()].sort((a, b) => a - b);
  }

  #set(jobId: JobId, executor: FaasInvoker): void {
    if (typeof executor?.invoke !== 'function') {
      throw new FaasError({
        code: 'CONFIG',
        executed: 'no',
        message: `The executor of job ${jobId} has no invoke(). Pass an executor such as new HttpFaasExecutor({ baseUrl }).`,
      });
    }
    this.#executors.set(jobId, executor);
    this.#version += 1;
  }
}
