/** The runner: takes items from producers, runs each as a call, gives every outcome to the consumers. */
import { EventEmitter } from 'node:events';
import type { JobRequest } from '../core/define-job.js';
import { FaasError } from '../core/errors.js';
import type { FaasInvoker } from '../core/executor.js';
import type { JobId } from '../core/job.js';
import type { FaasRegistry } from '../registry.js';
import { JobRunnerBuilder } from './builder.js';
import type { CallOwner } from './call-owner.js';
import { CallsInFlight } from './calls-in-flight.js';
import { checkConfig, type RunnerConfig } from './config.js';
import { Deliveries } from './deliveries.js';
import type { RunnerEvents } from './events.js';
import { GracePeriod, type Phase } from './grace.js';
import { Intake, NOTHING } from './intake.js';
import { readItem, unknownJob } from './item.js';
import type { RunSummary } from './outcome.js';
import { Reports, warn } from './reports.js';
import { type JobRoute, RouteTable } from './routes.js';
import { RunningCall } from './running-call.js';
import { runShutdownHandlers, Services } from './services.js';
import { Tally } from './tally.js';
import { Turns } from './turns.js';

/**
 * Takes items from producers, runs each as a call of a job, here or on a FaaS, and gives exactly one {@link Outcome}
 * for each to every consumer. Made by `JobRunner.builder()`; an EventEmitter of {@link RunnerEvents}. A listener that
 * throws or rejects becomes a warning of the process and is not waited for.
 */
export class JobRunner extends EventEmitter<RunnerEvents> implements AsyncDisposable {
  /** Which jobs run on which executor. `register` and `unregister` of the runner check more than it does. */
  readonly registry: FaasRegistry;
  readonly #config: RunnerConfig;
  readonly #routes: RouteTable;
  readonly #deliveries: Deliveries;
  readonly #intake: Intake;
  readonly #services: Services;
  readonly #owner: CallOwner;
  readonly #tally = new Tally();
  readonly #reports = new Reports(this, this.#tally);
  readonly #calls = new CallsInFlight();
  readonly #turns = new Turns(() => this.#pump());
  readonly #grace = new GracePeriod();
  #phase: Phase = 'idle';
  #hasRun = false;
  /** Of the signal of `run()`. */
  #abortReason: unknown;
  #pumping = false;
  /** Resolved when nothing is left to take, to run or to deliver. */
  readonly #drained = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();

  /** Starts a runner: add jobs, producers and consumers to it, then `build()` or `run()`. */
  static builder(): JobRunnerBuilder {
    return new JobRunnerBuilder(newRunner);
  }

  /** Use `JobRunner.builder()`. @throws {FaasError} CONFIG naming everything that cannot work. */
  constructor(config: RunnerConfig) {
    super({ captureRejections: true });
    checkConfig(config);
    this.#config = config;
    this.registry = config.registry;
    this.#routes = new RouteTable(config);
    this.#deliveries = new Deliveries(config.consumers, {
      onConsumerError: (consumer, error, outcome) =>
        this.#reports.trouble('consumerError', { consumer, error, outcome }),
      onParked: (consumer, outcome, reason, isLost) =>
        this.#reports.trouble('parked', { consumer, outcome, reason }, isLost),
      onRoom: () => this.#pump(),
      onAckError: (call, error, outcome) => this.#reports.trouble('ackError', { call, error, outcome }),
      onDelivered: (call) => {
        if (call.parked) this.#tally.park();
      },
      onIdle: () => this.#endIfDone(),
    });
    this.#intake = new Intake(config.producers, config.concurrency, {
      onReady: () => this.#pump(),
      onUntaken: (item) =>
        this.#deliveries.nack(item as JobRequest, 'the runner stopped before it took this item'),
      onProducerError: (producer, error, restartInMs) =>
        this.#reports.trouble('producerError', {
          producer,
          error,
          ...(restartInMs !== undefined && { restartInMs }),
        }),
    });
    this.#services = new Services({
      onServiceError: (service, error) => this.#reports.trouble('serviceError', { service, error }),
      onServiceEnded: (service) => this.#reports.tell('serviceEnded', { service }),
    });
    this.#owner = this.#makeOwner();
  }

  /**
   * Runs until every producer has ended and every outcome is delivered, or until `stop()`; then ends the services and
   * runs the shutdown handlers. A failing job, producer, consumer or service never ends it. After a `stop()` that came
   * before, it takes nothing, starts no service, and only runs the shutdown handlers.
   * @param options.signal stops like `stop()` when aborted
   * @returns how many jobs ended how, and what failed beside them
   * @throws {FaasError} CONFIG when called twice
   */
  async run(options: { signal?: AbortSignal } = {}): Promise<RunSummary> {
    if (this.#hasRun) {
      throw new FaasError({
        code: 'CONFIG',
        executed: 'no',
        message: 'This runner has run already. Build a new one for another run.',
      });
    }
    this.#hasRun = true;
    const { signal } = options;
    const onAbort = () => {
      this.#abortReason = signal?.reason;
      this.stop();
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    if (this.#phase === 'idle' && signal?.aborted !== true) await this.#work();
    else this.#intake.stop();
    this.#phase = 'closing';
    this.#grace.start(this.#config.graceMs);
    await this.#services.stop(this.#grace.over);
    this.#phase = 'over';
    this.#grace.end();
    signal?.removeEventListener('abort', onAbort);
    await runShutdownHandlers(this.#config.shutdownHandlers, (handler, error) =>
      this.#reports.trouble('shutdownError', { handler, error }),
    );
    this.#reports.tell('stopped');
    this.#ended.resolve();
    return this.#tally.summary();
  }

  /**
   * Begins to stop, and does not wait: no more items are taken, what was accepted is finished and delivered, producers
   * and services end. What waits for all that is the promise of `run()`; so jobs, consumers, services and shutdown
   * handlers may call `stop()`, and even await it. After the grace period, one for everything, what still runs is
   * cancelled, and within seconds `run()` returns. A second call can shorten the period, and does nothing else.
   * Before `run()`, it makes that return at once.
   * @param options.graceMs milliseconds, `Infinity` for no end; default the builder's, 30 000
   */
  stop(options: { graceMs?: number } = {}): void {
    if (!this.#hasRun) this.#phase = 'draining';
    if (!this.#hasRun || this.#phase === 'over') return;
    this.#grace.start(options.graceMs ?? this.#config.graceMs);
    if (this.#phase !== 'running') return;
    this.#phase = 'draining';
    void this.#grace.over.then(() => this.#endByForce());
    this.#reports.tell('draining');
    this.#intake.stop();
    this.#pump();
  }

  /** Stops, and waits for the end of `run()`; with `await using`, at the end of a block. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    if (this.#hasRun) await this.#ended.promise;
  }

  /**
   * Sends a job to an executor from now on; calls under way stay where they are.
   * @throws {FaasError} CONFIG for a job this runner does not have, something that cannot invoke, or a layer that cannot
   * wrap it; the job stays where it was
   */
  register(jobId: JobId, executor: FaasInvoker): void {
    const route = this.#routes.get(jobId);
    if (route === undefined) {
      throw new FaasError({
        code: 'CONFIG',
        executed: 'no',
        message: `Job ${jobId} is not defined in this runner, so no executor can be registered for it.`,
      });
    }
    route.moveTo(executor);
    this.#reports.tell('registered', { jobId, executor });
  }

  /** Brings a job back to its local handler; calls under way stay where they are. */
  unregister(jobId: JobId): void {
    if (this.registry.unregister(jobId) !== undefined) this.#reports.tell('unregistered', { jobId });
  }

  /** What the runner is at: `idle`, `running`, `draining` after `stop()`, `closing` its services, or `over`. */
  get phase(): Phase {
    return this.#phase;
  }

  /**
   * What the runner is busy with now: calls that run, calls that wait for a place in a limit, and outcomes that are not
   * yet with every consumer or not yet acknowledged.
   */
  stats(): { readonly running: number; readonly waiting: number; readonly undelivered: number } {
    const { running, waiting } = this.#calls;
    return { running, waiting, undelivered: this.#deliveries.pending };
  }

  /** Where Node brings what an async listener of an event threw. */
  override [EventEmitter.captureRejectionSymbol](error: unknown, event: unknown, ..._: unknown[]): void {
    warn(`A listener of the runner event "${String(event)}" rejected: ${String(error)}`, error);
  }

  /** From the first item to the last delivery. */
  async #work(): Promise<void> {
    this.#phase = 'running';
    this.#services.start(this.#config.services);
    this.#reports.tell('started');
    this.#pump();
    await this.#drained.promise;
    this.#deliveries.end();
  }

  /** Takes items while there is room, giving the event loop its turn now and then. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#hasRoom()) {
        this.#turns.take();
        const item = this.#intake.take();
        if (item === NOTHING) break;
        this.#accept(item);
      }
    } finally {
      this.#pumping = false;
    }
    this.#endIfDone();
  }

  #hasRoom(): boolean {
    if (this.#phase !== 'running' || this.#turns.isOver) return false;
    return this.#calls.running < this.#config.concurrency && !this.#deliveries.full;
  }

  #endIfDone(): void {
    // Whoever stops the runner while it takes an item must not end it before that item's calls have begun.
    if (this.#pumping) return;
    if (this.#intake.ended && this.#calls.size === 0 && this.#deliveries.pending === 0) {
      this.#drained.resolve();
    }
  }

  #accept(item: unknown): void {
    const { request, fault } = readItem(item, this.#routes);
    this.#tally.accept();
    const primary = fault === undefined ? this.#routes.find(request.jobId) : undefined;
    if (primary === undefined) {
      return this.#begin(this.#routes.none, request, true, fault ?? unknownJob(request.jobId));
    }
    this.#begin(primary, request, true, undefined);
    for (const always of this.#routes.always) {
      if (always !== primary) this.#begin(always, request, false, undefined);
    }
  }

  #begin(route: JobRoute, request: JobRequest, isPrimary: boolean, fault: FaasError | undefined): void {
    const { taken } = this.#intake;
    const call = new RunningCall(this.#owner, taken, route, request, isPrimary, this.#config.timeoutMs);
    this.#calls.add(call);
    if (isPrimary && this.listenerCount('accepted') > 0) this.#reports.tell('accepted', call.event());
    if (fault === undefined) call.start();
    else call.fail(fault);
  }

  #makeOwner(): CallOwner {
    return {
      newCallId: () => this.#calls.newId(),
      onWaiting: (call) => this.#calls.waits(call, 1),
      onNoLongerWaiting: (call) => this.#calls.waits(call, -1),
      onAttempt: (call, ranOn) => {
        if (this.listenerCount('attempt') === 0) return;
        this.#reports.tell('attempt', { ...call.event(), attempt: call.attempts, ranOn });
      },
      onFallback: (call, error) => this.#reports.tell('fallback', { ...call.event(), error }),
      onSettled: (call) => this.#settled(call),
      onDelivered: (call) => this.#deliveries.finish(call),
      onPlaceFreed: () => this.#pump(),
      onDefect: (error) =>
        warn(`jobferry itself failed, and goes on; please report this: ${String(error)}`, error),
    };
  }

  #settled(call: RunningCall): void {
    const { outcome } = call;
    const isSilent = !call.isPrimary && outcome.status === 'ok' && outcome.value === undefined;
    if (call.isPrimary) this.#tally.count(outcome.status);
    if (!isSilent) {
      if (this.listenerCount('outcome') > 0) this.#reports.tell('outcome', outcome);
      this.#deliveries.deliver(call);
    }
    // Last: as long as it is counted, a listener or consumer that stops the runner does not end it.
    this.#calls.remove(call);
    this.#pump();
  }

  /** The grace period is over: what still runs is cancelled, and what does not end is left behind. */
  #endByForce(): void {
    if (this.#phase !== 'draining') return;
    this.#calls.cancelAll(this.#abortReason);
    this.#deliveries.endSoon();
    this.#intake.abandon();
  }
}

// Outside of the class: a bundler renames one that names itself, and users would read of a `_JobRunner`.
const newRunner = (config: RunnerConfig) => new JobRunner(config);
