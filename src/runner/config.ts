/** Everything a runner is made of, and the checks that it can work, made before anything starts. */
import type { AnyJob, JobHandler } from '../core/define-job.js';
import { FaasError } from '../core/errors.js';
import type { FaasInvoker, NumberRange } from '../core/executor.js';
import type { JobId } from '../core/job.js';
import type { Layer } from '../core/layer.js';
import type { RetryBudgetOptions, RetryPolicy } from '../core/retry-policy.js';
import type { FaasRegistry } from '../registry.js';
import type { ConsumerSpec } from './consumer-lane.js';
import type { ProducerSpec } from './intake.js';
import type { BackgroundService, ShutdownHandler } from './services.js';

export interface RunnerConfig {
  readonly jobs: readonly AnyJob[];
  readonly producers: readonly ProducerSpec[];
  readonly consumers: readonly ConsumerSpec[];
  readonly registry: FaasRegistry;
  readonly executorConcurrency: ReadonlyMap<FaasInvoker, number>;
  readonly always: readonly JobHandler<unknown, unknown>[];
  readonly fallback: JobHandler<unknown, unknown> | undefined;
  readonly services: readonly BackgroundService[];
  readonly shutdownHandlers: readonly ShutdownHandler[];
  readonly layers: readonly Layer[];
  readonly retry: Partial<RetryPolicy> | false;
  readonly retryBudget: RetryBudgetOptions;
  readonly retryLayer: (policy: Partial<RetryPolicy>) => Layer;
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly graceMs: number;
}

/** @throws {FaasError} CONFIG that lists every fault found. */
export function checkConfig(config: RunnerConfig): void {
  const faults = [
    ...producerFaults(config),
    ...jobFaults(config),
    ...registryFaults(config),
    ...consumerFaults(config),
    ...handlerFaults(config),
    ...numberFaults(config),
  ];
  if (faults.length === 0) return;
  const list = faults.length === 1 ? faults[0] : `\n- ${faults.join('\n- ')}`;
  throw new FaasError({ code: 'CONFIG', executed: 'no', message: `This runner cannot work: ${list}` });
}

function* producerFaults({ producers }: RunnerConfig): Iterable<string> {
  if (producers.length === 0) yield 'it has no producer. Add one with .producer([...]).';
  for (const { name, source, restart } of producers) {
    const usable =
      typeof source === 'function' ||
      (source !== null &&
        typeof source === 'object' &&
        (Symbol.iterator in source || Symbol.asyncIterator in source));
    if (!usable) yield `${name} is neither iterable nor a function that returns an iterable.`;
    if (restart === undefined) continue;
    if (typeof source !== 'function') {
      yield `${name} asks for restarts, but only a function can be called again. Pass () => iterable.`;
    }
    const { attempts, minDelayMs = 0, maxDelayMs = 0 } = restart;
    if (!isCount(attempts))
      yield `restart.attempts of ${name} is ${attempts}; use an integer above 0, or Infinity.`;
    if (!(minDelayMs >= 0)) yield `restart.minDelayMs of ${name} is ${minDelayMs}; use 0 or more.`;
    if (!(maxDelayMs >= 0)) yield `restart.maxDelayMs of ${name} is ${maxDelayMs}; use 0 or more.`;
  }
}

function* jobFaults({ jobs, registry, always, fallback }: RunnerConfig): Iterable<string> {
  const byId = new Map<JobId, AnyJob>();
  const names = new Map<string, AnyJob>();
  for (const job of jobs) {
    const twin = byId.get(job.id);
    if (twin !== undefined)
      yield `jobs "${twin.name}" and "${job.name}" share the id ${job.id}. Give one another id.`;
    const namesake = names.get(job.name);
    if (namesake !== undefined && namesake.id !== job.id) {
      yield `jobs ${namesake.id} and ${job.id} share the name "${job.name}". Rename one.`;
    }
    byId.set(job.id, job);
    names.set(job.name, job);
    const executor = registry.get(job.id);
    if (job.handler === undefined && executor === undefined) {
      yield `job "${job.name}" has neither a handler nor an executor. Add a handler, or .withFaasExecutor(${job.id}, …).`;
    }
    if (job.localFallback === true && job.handler === undefined) {
      yield `job "${job.name}" allows a local fallback but has no handler to fall back to.`;
    }
    if (executor !== undefined) yield* limitFaults(job, executor);
  }
  if (jobs.length === 0 && always.length === 0 && fallback === undefined) {
    yield 'it has no job. Add one with .job(defineJob({ … })).';
  }
}

function* registryFaults({ jobs, registry }: RunnerConfig): Iterable<string> {
  const known = new Set(jobs.map((job) => job.id));
  for (const jobId of registry.jobIds()) {
    if (!known.has(jobId)) {
      yield `an executor is registered for job ${jobId}, which is not defined. Add .job(…) with that id.`;
    }
  }
}

const CONSUMER_OPTIONS = [
  'name',
  'deliver',
  'bufferSize',
  'bufferBytes',
  'timeoutMs',
  'attempts',
  'overflow',
  'onParked',
];

function* consumerFaults({ consumers }: RunnerConfig): Iterable<string> {
  for (const consumer of consumers) {
    const { name, deliver, bufferSize, bufferBytes, timeoutMs, attempts, overflow, onParked } = consumer;
    if (typeof deliver !== 'function') yield `${name} is not a function. Use .consumer((outcome) => …).`;
    for (const [option, value] of Object.entries({ bufferSize, attempts })) {
      if (!isCount(value)) yield `${option} of ${name} is ${value}; use an integer above 0, or Infinity.`;
    }
    for (const [option, value] of Object.entries({ bufferBytes, timeoutMs })) {
      if (!(value > 0)) yield `${option} of ${name} is ${value}; use a number above 0, or Infinity.`;
    }
    if (overflow !== 'wait' && overflow !== 'park') {
      yield `overflow of ${name} is ${JSON.stringify(overflow)}; use 'wait' or 'park'.`;
    }
    if (onParked !== undefined && typeof onParked !== 'function') {
      yield `onParked of ${name} is not a function. Use onParked: (outcome, reason) => ….`;
    }
    for (const option of Object.keys(consumer)) {
      if (!CONSUMER_OPTIONS.includes(option)) yield `${name} has the unknown option "${option}".`;
    }
  }
}

function* handlerFaults({ services, shutdownHandlers, always, fallback }: RunnerConfig): Iterable<string> {
  for (const [index, service] of services.entries()) {
    if (typeof service === 'function' || typeof service?.start === 'function') continue;
    yield `background service ${index + 1} is neither a function nor { name, start }. Use async ({ signal }) => ….`;
  }
  for (const [index, handler] of shutdownHandlers.entries()) {
    if (typeof handler !== 'function') yield `shutdown handler ${index + 1} is not a function.`;
  }
  for (const [index, handler] of always.entries()) {
    if (typeof handler !== 'function') yield `always handler ${index + 1} is not a function.`;
  }
  if (fallback !== undefined && typeof fallback !== 'function')
    yield 'the fallback handler is not a function.';
}

function isCount(value: number): boolean {
  return value === Infinity || (Number.isInteger(value) && value > 0);
}

function* limitFaults(job: AnyJob, { provider, limits }: FaasInvoker): Iterable<string> {
  const wanted: [string, number | undefined, NumberRange | undefined][] = [
    ['config.memoryMb', job.config?.memoryMb, limits.memoryMb],
    ['config.timeoutSecs', job.config?.timeoutSecs, limits.timeoutSecs],
    ['config.maxConcurrency', job.config?.maxConcurrency, limits.maxConcurrency],
  ];
  for (const [field, value, range] of wanted) {
    if (value === undefined || range === undefined) continue;
    const { min, max, step = 1 } = range;
    if (value >= min && value <= max && (value - min) % step === 0) continue;
    const steps = step === 1 ? '' : ` in steps of ${step}`;
    yield `job "${job.name}" wants ${field} ${value}, but ${provider} takes ${min} to ${max}${steps} (${limits.source}, ${limits.asOf}).`;
  }
  const maxTimeoutMs = limits.timeoutSecs === undefined ? Infinity : limits.timeoutSecs.max * 1000;
  if (
    job.timeoutMs !== undefined &&
    job.timeoutMs !== Infinity &&
    job.timeoutMs > maxTimeoutMs &&
    job.retry === false
  ) {
    yield `job "${job.name}" allows one attempt ${job.timeoutMs} ms, but ${provider} ends a function after ${maxTimeoutMs} ms.`;
  }
}

function* numberFaults({
  concurrency,
  timeoutMs,
  graceMs,
  executorConcurrency,
}: RunnerConfig): Iterable<string> {
  if (!(Number.isInteger(concurrency) && concurrency > 0)) {
    yield `concurrency is ${concurrency}; use an integer above 0.`;
  }
  if (!(timeoutMs > 0)) yield `timeoutMs is ${timeoutMs}; use a number above 0, or Infinity.`;
  if (!(graceMs >= 0)) yield `graceMs is ${graceMs}; use 0 or more, or Infinity.`;
  for (const [{ provider }, limit] of executorConcurrency) {
    if (!(Number.isInteger(limit) && limit > 0)) {
      yield `the concurrency of executor ${provider} is ${limit}; use an integer above 0.`;
    }
  }
}
