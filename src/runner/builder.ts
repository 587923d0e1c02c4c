/** The builder: collects what a runner is made of, with the types of its jobs. */
import type { AnyJob, JobHandler } from '../core/define-job.js';
import type { FaasInvoker } from '../core/executor.js';
import { checkJobId, type JobId } from '../core/job.js';
import type { Layer } from '../core/layer.js';
import { RetryBudget, type RetryBudgetOptions, type RetryPolicy } from '../core/retry-policy.js';
// The one layer a runner has by default. It loads nothing until the first failure.
import { retry } from '../layers/retry.js';
import { FaasRegistry } from '../registry.js';
import type { RunnerConfig } from './config.js';
import type { ConsumerOptions, ConsumerSpec } from './consumer-lane.js';
import type { ProducerOptions, ProducerSource, ProducerSpec } from './intake.js';
import type { ProducerItem } from './item.js';
import type { JobRunner } from './job-runner.js';
import type { Outcome, OutcomeOf, RunSummary } from './outcome.js';
import type { BackgroundService, ShutdownHandler } from './services.js';

/** Outcomes of `always` and `fallback` handlers, which take any job. */
export type UntypedOutcome = Outcome & { readonly route: 'always' | 'fallback' };

const CONSUMER_DEFAULTS: Omit<ConsumerSpec, 'name' | 'deliver'> = {
  bufferSize: 16_384,
  bufferBytes: 64 * 1024 * 1024,
  timeoutMs: 30_000,
  attempts: 3,
  overflow: 'wait',
  onParked: undefined,
};

/**
 * Builds a {@link JobRunner}. `Outcomes` is the union of what the consumers will see.
 * The order of calls does not matter, except that a consumer's type knows the jobs added before it.
 */
export class JobRunnerBuilder<Outcomes = never> {
  readonly #jobs: AnyJob[] = [];
  readonly #producers: ProducerSpec[] = [];
  readonly #consumers: ConsumerSpec[] = [];
  readonly #registry = new FaasRegistry();
  readonly #executorConcurrency = new Map<FaasInvoker, number>();
  readonly #always: JobHandler<unknown, unknown>[] = [];
  readonly #services: BackgroundService[] = [];
  readonly #shutdownHandlers: ShutdownHandler[] = [];
  readonly #layers: Layer[] = [];
  #fallback: JobHandler<unknown, unknown> | undefined;
  #retry: Partial<RetryPolicy> | false = {};
  #retryBudget: RetryBudgetOptions = {};
  #concurrency = 1024;
  #timeoutMs = 300_000;
  #graceMs = 30_000;
  readonly #make: (config: RunnerConfig) => JobRunner;

  /** Use `JobRunner.builder()`. */
  constructor(make: (config: RunnerConfig) => JobRunner) {
    this.#make = make;
  }

  /** Adds a job. It runs in this process unless `withFaasExecutor` sends it elsewhere. */
  job<J extends AnyJob>(job: J): JobRunnerBuilder<Outcomes | OutcomeOf<J>> {
    this.#jobs.push(job);
    return this as JobRunnerBuilder<Outcomes | OutcomeOf<J>>;
  }

  /**
   * Adds a source of items: an iterable, an async iterable, or a function that returns one. Items are pulled
   * one by one while there is room; several producers take turns. One that throws is closed (`producerError`), unless
   * `options.restart` says otherwise; the others go on.
   */
  producer(source: ProducerSource<ProducerItem>, options: ProducerOptions = {}): this {
    const name = options.name ?? `producer-${this.#producers.length + 1}`;
    this.#producers.push({ name, source, restart: options.restart });
    return this;
  }

  /**
   * Adds a receiver of outcomes, in the order they happen. What it returns is awaited before the next. When it throws,
   * takes longer than `timeoutMs` or falls behind: see {@link ConsumerOptions}.
   */
  consumer(deliver: (outcome: Outcomes) => unknown, options: ConsumerOptions<Outcomes> = {}): this {
    const name = options.name ?? `consumer-${this.#consumers.length + 1}`;
    this.#consumers.push({
      ...CONSUMER_DEFAULTS,
      ...(options as ConsumerOptions),
      name,
      deliver: deliver as (outcome: Outcome) => unknown,
    });
    return this;
  }

  /**
   * Sends a job to a FaaS.
   * @param options.concurrency the most calls at once on this executor, over all its jobs
   * @throws {FaasError} CONFIG for a wrong id or executor, CONFLICT when the job has an executor already
   */
  withFaasExecutor(jobId: JobId, executor: FaasInvoker, options: { concurrency?: number } = {}): this {
    this.#registry.register(checkJobId(jobId), executor);
    if (options.concurrency !== undefined) this.#executorConcurrency.set(executor, options.concurrency);
    return this;
  }

  /**
   * Runs beside every job, whatever its id; and for ids without a job. What it returns, unless `undefined`,
   * and what it throws reach the consumers as an outcome with `route: 'always'`.
   */
  always(handler: JobHandler<unknown, unknown>): JobRunnerBuilder<Outcomes | UntypedOutcome> {
    this.#always.push(handler);
    return this as JobRunnerBuilder<Outcomes | UntypedOutcome>;
  }

  /** Runs for ids without a job, when there is no `always` handler. The last one given counts. */
  fallback(handler: JobHandler<unknown, unknown>): JobRunnerBuilder<Outcomes | UntypedOutcome> {
    this.#fallback = handler;
    return this as JobRunnerBuilder<Outcomes | UntypedOutcome>;
  }

  /**
   * Adds work that runs beside the jobs, until the last outcome is delivered: then its `signal` is aborted, and it has
   * what is left of the grace period to end. Its errors are reported as `serviceError`.
   */
  backgroundService(service: BackgroundService): this {
    this.#services.push(service);
    return this;
  }

  /**
   * Runs, and is awaited without a time limit, after the last outcome was delivered and the services stopped; several
   * one after the other. An error is reported as `shutdownError`.
   */
  shutdownHandler(handler: ShutdownHandler): this {
    this.#shutdownHandlers.push(handler);
    return this;
  }

  /**
   * Wraps each executor once, inside the retries; the first listed is the outermost. What a layer throws when it cannot
   * wrap an executor comes out of `build()`, and of `register()`.
   */
  layers(...layers: Layer[]): this {
    this.#layers.push(...layers);
    return this;
  }

  /**
   * How failed attempts are repeated, for jobs that do not say so themselves. `false`: never. Default: three attempts, see
   * docs/errors.md.
   */
  retry(policy: Partial<RetryPolicy> | false): this {
    this.#retry = policy;
    return this;
  }

  /**
   * Bounds the retries in an outage. Each executor has a budget of its own, shared by all its jobs; a local handler
   * has one too. Default: `{ ratio: 0.1, reserve: 10 }`, one retry for ten calls in the long run.
   * @throws {FaasError} CONFIG for a ratio below 0 or a reserve below 1
   */
  retryBudget(options: RetryBudgetOptions): this {
    new RetryBudget(options);
    this.#retryBudget = options;
    return this;
  }

  /**
   * The most calls at once, local and FaaS together. As many again of each producer may wait for a place at the limit of
   * a job or an executor; then that producer waits, and no other one. Default 1024.
   */
  concurrency(limit: number): this {
    this.#concurrency = limit;
    return this;
  }

  /** Milliseconds a call may take in all, for jobs that do not say so themselves. Default 300 000; `Infinity`: no limit. */
  timeoutMs(timeoutMs: number): this {
    this.#timeoutMs = timeoutMs;
    return this;
  }

  /** Milliseconds that a stopped runner leaves for work under way. Default 30 000; `Infinity`: no limit. */
  graceMs(graceMs: number): this {
    this.#graceMs = graceMs;
    return this;
  }

  /**
   * Makes the runner; nothing starts before its `run()`.
   * @throws {FaasError} CONFIG that lists everything that cannot work
   */
  build(): JobRunner {
    const config: RunnerConfig = {
      jobs: this.#jobs,
      producers: this.#producers,
      consumers: this.#consumers,
      registry: this.#registry,
      executorConcurrency: this.#executorConcurrency,
      always: this.#always,
      fallback: this.#fallback,
      services: this.#services,
      shutdownHandlers: this.#shutdownHandlers,
      layers: this.#layers,
      retry: this.#retry,
      retryBudget: this.#retryBudget,
      retryLayer: retry,
      concurrency: this.#concurrency,
      timeoutMs: this.#timeoutMs,
      graceMs: this.#graceMs,
    };
    return this.#make(config);
  }

  /** `build().run(options)`. Rejects where `build` throws. */
  async run(options: { signal?: AbortSignal } = {}): Promise<RunSummary> {
    return await this.build().run(options);
  }
}
