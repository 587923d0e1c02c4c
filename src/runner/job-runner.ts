/** The runner: takes items from producers, runs each as a call, gives every outcome to the consumers. */
import { EventEmitter } from 'node:events';
import { defineJob, type JobHandler, type JobRequest } from '../core/define-job.js';
import { FaasError } from '../core/errors.js';
import type { FaasInvoker } from '../core/executor.js';
import type { JobId } from '../core/job.js';
import type { FaasRegistry } from '../registry.js';
import { JobRunnerBuilder } from './builder.js';
import { CallList } from './call-list.js';
import { checkConfig, type RunnerConfig } from './config.js';
import { Deliveries } from './deliveries.js';
import type { CallEvent, RunnerEvents } from './events.js';
import { Intake, NOTHING } from './intake.js';
import { readItem, unknownJob } from './item.js';
import type { RunSummary } from './outcome.js';
import { Reports, warn } from './reports.js';
import { JobRoute, RouteTable } from './routes.js';
import { type CallOwner, RunningCall } from './running-call.js';
import { Services } from './services.js';
import { Tally } from './tally.js';

/** Work without a pause may not keep timers, sockets and signals waiting longer than this. */
const TURN_MS = 10;
/** After a forced stop, how long consumers have for what they were just given. */
const LAST_DELIVERY_MS = 1000;

export class JobRunner extends EventEmitter<RunnerEvents> implements AsyncDisposable {
  readonly registry: FaasRegistry;
  readonly #config: RunnerConfig;
  readonly #routes: RouteTable;
  readonly #alwaysRoutes: JobRoute[];
  readonly #fallbackRoute: JobRoute | undefined;
  /** For items that name no job of this runner. */
  readonly #noRoute: JobRoute;
  readonly #deliveries: Deliveries;
  readonly #intake: Intake;
  readonly #owner: CallOwner;
  readonly #tally = new Tally();
  readonly #reports = new Reports(this, this.#tally);
  /** Accepted and not settled. */
  readonly #unsettled = new CallList();
  #waiting = 0;
  // 96 random bits a runner and a count: as unique as a UUID a call, at a fraction of the cost.
  readonly #callIdPrefix = Buffer.from(crypto.getRandomValues(new Uint8Array(12))).toString('hex');
  #callCount = 0;
  #state: 'idle' | 'running' | 'draining' | 'stopped' = 'idle';
  #pumping = false;
  #turnEndsMs = 0;
  #takenThisTurn = 0;
  #turnScheduled = false;
  #done: (() => void) | undefined;
  readonly #ended = Promise.withResolvers<void>();
  #graceTimer: NodeJS.Timeout | undefined;

  static builder(): JobRunnerBuilder {
    return new JobRunnerBuilder((config) => new JobRunner(config));
  }

  /** Use `JobRunner.builder()`. @throws {FaasError} CONFIG naming everything that cannot work. */
  constructor(config: RunnerConfig) {
    super();
    checkConfig(config);
    this.#config = config;
    this.registry = config.registry;
    this.#routes = new RouteTable(config.jobs, config.registry, config);
    this.#alwaysRoutes = config.always.map((handler) => this.#handlerRoute(handler, 'always'));
    this.#fallbackRoute =
      config.fallback === undefined ? undefined : this.#handlerRoute(config.fallback, 'fallback');
    this.#noRoute = new JobRoute(defineJob({ id: 0, name: '(unknown)' }), 'fallback', this.#routes);
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
    this.#intake = new Intake(config.producers, {
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
    this.#owner = this.#makeOwner();
  }

  /**
   * Runs until every producer has ended and every outcome is delivered, or until `stop()`. A failing job,
   * producer, consumer or service never ends it.
   * @param options.signal stops like `stop()` when aborted
   * @throws {FaasError} CONFIG when called twice
   */
  async run(options: { signal?: AbortSignal } = {}): Promise<RunSummary> {
    if (this.#state !== 'idle') {
      throw new FaasError({
        code: 'CONFIG',
        executed: 'no',
        message: 'This runner has run already. Build a new one for another run.',
      });
    }
    this.#state = 'running';
    const services = new Services();
    const onAbort = () => void this.stop();
    options.signal?.addEventListener('abort', onAbort, { once: true });
    try {
      services.start(this.#config.services, {
        onServiceError: (service, error) => this.#reports.trouble('serviceError', { service, error }),
        onServiceEnded: (service) => this.#reports.tell('serviceEnded', { service }),
      });
      this.#reports.tell('started');
      if (options.signal?.aborted) onAbort();
      await new Promise<void>((resolve) => {
        this.#done = resolve;
        this.#startTurn();
        this.#pump();
      });
    } finally {
      options.signal?.removeEventListener('abort', onAbort);
      clearTimeout(this.#graceTimer);
      await services.stop(this.#config.graceMs);
      await this.#shutDown();
      this.#state = 'stopped';
      this.#reports.tell('stopped');
      this.#ended.resolve();
    }
    return this.#tally.summary();
  }

  /**
   * Takes no more items, finishes what was accepted, and resolves when `run()` is about to return. After the
   * grace period what still runs is cancelled; a second call can shorten that period.
   * @param options.graceMs default the builder's, 30 000
   */
  async stop(options: { graceMs?: number } = {}): Promise<void> {
    if (this.#state === 'idle' || this.#state === 'stopped') return;
    const graceMs = options.graceMs ?? this.#config.graceMs;
    clearTimeout(this.#graceTimer);
    this.#graceTimer = setTimeout(() => this.#cancelAll(), graceMs);
    if (this.#state === 'running') {
      this.#state = 'draining';
      this.#reports.tell('draining');
      this.#intake.stop();
      this.#pump();
    }
    await this.#ended.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Sends a job to an executor from now on; calls under way stay where they are. */
  register(jobId: JobId, executor: FaasInvoker): void {
    if (this.#routes.get(jobId) === undefined) {
      throw new FaasError({
        code: 'CONFIG',
        executed: 'no',
        message: `Job ${jobId} is not defined in this runner, so no executor can be registered for it.`,
      });
    }
    this.registry.replace(jobId, executor);
    this.#reports.tell('registered', { jobId, executor });
  }

  /** Brings a job back to its local handler; calls under way stay where they are. */
  unregister(jobId: JobId): void {
    if (this.registry.unregister(jobId) !== undefined) this.#reports.tell('unregistered', { jobId });
  }

  /** What the runner is busy with now. */
  stats(): { readonly running: number; readonly waiting: number; readonly undelivered: number } {
    return {
      running: this.#unsettled.size - this.#waiting,
      waiting: this.#waiting,
      undelivered: this.#deliveries.pending,
    };
  }

  /** Takes items while there is room, giving the event loop its turn now and then. */
  #pump(): void {
    if (this.#pumping || this.#done === undefined) return;
    this.#pumping = true;
    while (!this.#turnScheduled && this.#hasRoom()) {
      // Looking at the clock for each item would cost more than taking it.
      this.#takenThisTurn += 1;
      if (this.#takenThisTurn % 64 === 0 && performance.now() > this.#turnEndsMs) this.#scheduleTurn();
      const item = this.#intake.take();
      if (item === NOTHING) break;
      this.#accept(item);
    }
    this.#pumping = false;
    this.#endIfDone();
  }

  #hasRoom(): boolean {
    if (this.#state !== 'running') return false;
    const { concurrency } = this.#config;
    if (this.#unsettled.size - this.#waiting >= concurrency || this.#waiting >= concurrency) return false;
    return !this.#deliveries.full;
  }

  #scheduleTurn(): void {
    this.#turnScheduled = true;
    setImmediate(() => {
      this.#startTurn();
      this.#pump();
    });
  }

  #startTurn(): void {
    this.#turnScheduled = false;
    this.#turnEndsMs = performance.now() + TURN_MS;
  }

  #endIfDone(): void {
    if (!this.#intake.ended || this.#unsettled.size > 0 || this.#deliveries.pending > 0) return;
    const done = this.#done;
    this.#done = undefined;
    done?.();
  }

  #accept(item: unknown): void {
    const { request, fault } = readItem(item, (name) => this.#routes.idOf(name));
    this.#tally.accept();
    if (fault !== undefined) return this.#begin(this.#noRoute, request, true, fault);
    const primary = this.#routes.get(request.jobId) ?? this.#alwaysRoutes[0] ?? this.#fallbackRoute;
    if (primary === undefined) return this.#begin(this.#noRoute, request, true, unknownJob(request.jobId));
    this.#begin(primary, request, true, undefined);
    for (const always of this.#alwaysRoutes)
      if (always !== primary) this.#begin(always, request, false, undefined);
  }

  #begin(route: JobRoute, request: JobRequest, isPrimary: boolean, fault: FaasError | undefined): void {
    const call = new RunningCall(this.#owner, route, request, isPrimary, this.#config.timeoutMs);
    this.#unsettled.add(call);
    if (isPrimary && this.listenerCount('accepted') > 0) this.#reports.tell('accepted', about(call));
    if (fault === undefined) call.start();
    else call.fail(fault);
  }

  #makeOwner(): CallOwner {
    return {
      newCallId: () => {
        this.#callCount += 1;
        return `${this.#callIdPrefix}-${this.#callCount}`;
      },
      onWaiting: () => {
        this.#waiting += 1;
      },
      onNoLongerWaiting: () => {
        this.#waiting -= 1;
      },
      onAttempt: (call, ranOn) => {
        if (this.listenerCount('attempt') > 0) {
          this.#reports.tell('attempt', { ...about(call), attempt: call.attempts, ranOn });
        }
      },
      onFallback: (call, error) => this.#reports.tell('fallback', { ...about(call), error }),
      onSettled: (call) => this.#settled(call),
      onDelivered: (call) => this.#deliveries.finish(call),
      onPlaceFreed: () => this.#pump(),
      onDefect: (error) =>
        warn(`jobferry itself failed, and goes on; please report this: ${String(error)}`, error),
    };
  }

  #settled(call: RunningCall): void {
    this.#unsettled.remove(call);
    const { outcome } = call;
    const isSilent = !call.isPrimary && outcome.status === 'ok' && outcome.value === undefined;
    if (call.isPrimary) this.#tally.count(outcome.status);
    if (!isSilent) {
      if (this.listenerCount('outcome') > 0) this.#reports.tell('outcome', outcome);
      this.#deliveries.deliver(call);
    }
    this.#pump();
  }

  #cancelAll(): void {
    const reason = new FaasError({
      code: 'CANCELLED',
      executed: 'maybe',
      message: 'The runner stopped and its grace period is over.',
    });
    // The waiting first: a place that a cancelled call leaves must not let one of them in.
    const calls = this.#unsettled.toArray();
    for (const call of calls) if (call.isWaiting) call.cancel(reason);
    for (const call of calls) call.cancel(reason);
    this.#graceTimer = setTimeout(() => this.#deliveries.close(), LAST_DELIVERY_MS);
  }

  async #shutDown(): Promise<void> {
    for (const [index, handler] of this.#config.shutdownHandlers.entries()) {
      try {
        await handler();
      } catch (error) {
        const name = handler.name === '' ? `shutdown-handler-${index + 1}` : handler.name;
        this.#reports.trouble('shutdownError', { handler: name, error });
      }
    }
  }

  #handlerRoute(handler: JobHandler<unknown, unknown>, route: 'always' | 'fallback'): JobRoute {
    const name = handler.name === '' ? route : handler.name;
    return new JobRoute(defineJob({ id: 0, name, handler }), route, this.#routes);
  }
}

function about(call: RunningCall): CallEvent {
  return { jobId: call.request.jobId, jobName: call.route.job.name, callId: call.callId };
}
