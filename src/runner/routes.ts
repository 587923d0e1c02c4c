/** Job id -> where its calls go now: the local handler or an executor, each behind its layers. */
import { type AnyJob, defineJob, type JobHandler } from '../core/define-job.js';
import type { FaasInvoker } from '../core/executor.js';
import type { JobId } from '../core/job.js';
import { type Layer, withLayers } from '../core/layer.js';
import { RetryBudget, type RetryBudgetOptions, type RetryPolicy } from '../core/retry-policy.js';
import type { FaasRegistry } from '../registry.js';
import { Gate } from './gate.js';
import { CountedInvoker, LocalInvoker } from './local.js';
import type { Route } from './outcome.js';

export interface RouteOptions {
  readonly jobs: readonly AnyJob[];
  readonly always: readonly JobHandler<unknown, unknown>[];
  readonly fallback: JobHandler<unknown, unknown> | undefined;
  readonly registry: FaasRegistry;
  readonly layers: readonly Layer[];
  readonly retry: Partial<RetryPolicy> | false;
  /** Makes the retry layer: handed in, so that this file knows no layer. */
  readonly retryLayer: (policy: Partial<RetryPolicy> & { budget: RetryBudget }) => Layer;
  readonly retryBudget: RetryBudgetOptions;
  /** The most calls at once on an executor. */
  readonly executorConcurrency: ReadonlyMap<FaasInvoker, number>;
}

/** A way to run one job, fixed for the life of a call. */
export interface Target {
  readonly invoker: FaasInvoker;
  readonly isLocal: boolean;
  readonly gates: readonly Gate[];
}

/** One job and its targets. The FaaS target follows the registry; a call keeps the target it started with. */
export class JobRoute {
  readonly job: AnyJob;
  readonly route: Route;
  readonly local: Target | undefined;
  readonly #table: RouteTable;
  /** The limit of the job itself: the first gate of each of its targets. */
  readonly jobGate: Gate | undefined;
  #faas: Target | undefined;
  #seenVersion = -1;

  constructor(job: AnyJob, route: Route, table: RouteTable) {
    this.job = job;
    this.route = route;
    this.#table = table;
    this.jobGate = job.concurrency === undefined ? undefined : new Gate(job.concurrency);
    if (job.handler !== undefined) {
      this.local = {
        invoker: table.withRetry(job, LOCAL_INVOKER, table.newBudget()),
        isLocal: true,
        gates: this.jobGate === undefined ? NO_GATES : [this.jobGate],
      };
    }
  }

  /** Where the next call goes; undefined when the job lost its executor and has no handler. */
  target(): Target | undefined {
    const { registry } = this.#table;
    if (this.route === 'job' && registry.version !== this.#seenVersion) {
      const executor = registry.get(this.job.id);
      this.#faas = executor === undefined ? undefined : this.#faasTarget(executor);
      // Last: where a layer throws, the next call must not go to the target of before.
      this.#seenVersion = registry.version;
    }
    return this.#faas ?? this.local;
  }

  /** Sends the calls from now on to `executor`; where a layer cannot wrap it, nothing changes. */
  moveTo(executor: FaasInvoker): void {
    const { registry } = this.#table;
    const previous = registry.replace(this.job.id, executor);
    try {
      this.target();
    } catch (thrown) {
      if (previous === undefined) registry.unregister(this.job.id);
      else registry.replace(this.job.id, previous);
      throw thrown;
    }
  }

  #faasTarget(executor: FaasInvoker): Target {
    const executorGate = this.#table.executorGate(executor);
    const gates = [this.jobGate, executorGate].filter((gate) => gate !== undefined);
    const budget = this.#table.budgetOf(executor);
    const invoker = this.#table.withRetry(this.job, this.#table.layered(executor), budget);
    return { invoker, isLocal: false, gates };
  }
}

const NO_GATES: readonly Gate[] = [];
const LOCAL_INVOKER = new LocalInvoker();

export class RouteTable {
  readonly registry: FaasRegistry;
  /** Of the handlers that run beside every job. */
  readonly always: readonly JobRoute[];
  /** For items that nobody takes. */
  readonly none: JobRoute;
  readonly #fallback: JobRoute | undefined;
  readonly #options: RouteOptions;
  readonly #routes = new Map<JobId, JobRoute>();
  readonly #ids = new Map<string, JobId>();
  // Layers such as a circuit breaker hold state about an executor: one wrapping each, whatever jobs share it.
  readonly #layered = new WeakMap<FaasInvoker, FaasInvoker>();
  readonly #gates = new Map<FaasInvoker, Gate>();
  // An executor that is down must not use up the retries of another one.
  readonly #budgets = new WeakMap<FaasInvoker, RetryBudget>();

  /** @throws what a layer throws that cannot wrap an executor */
  constructor(options: RouteOptions) {
    this.registry = options.registry;
    this.#options = options;
    this.always = options.always.map((handler) => this.#ofHandler(handler, 'always'));
    this.#fallback = options.fallback && this.#ofHandler(options.fallback, 'fallback');
    this.none = new JobRoute(defineJob({ id: 0, name: '(unknown)' }), 'fallback', this);
    for (const job of options.jobs) {
      const route = new JobRoute(job, 'job', this);
      // Wraps its executor now: a layer that refuses it must be heard at start, not at the first call.
      route.target();
      this.#routes.set(job.id, route);
      this.#ids.set(job.name, job.id);
    }
  }

  /** The route of that job and no other. */
  get(jobId: JobId): JobRoute | undefined {
    return this.#routes.get(jobId);
  }

  /** Who takes an item with that id: its job, else a handler that takes any. */
  find(jobId: JobId): JobRoute | undefined {
    return this.#routes.get(jobId) ?? this.always[0] ?? this.#fallback;
  }

  idOf(name: string): JobId | undefined {
    return this.#ids.get(name);
  }

  layered(executor: FaasInvoker): FaasInvoker {
    let wrapped = this.#layered.get(executor);
    if (wrapped === undefined) {
      wrapped = withLayers(new CountedInvoker(executor), ...this.#options.layers);
      this.#layered.set(executor, wrapped);
    }
    return wrapped;
  }

  withRetry(job: AnyJob, inner: FaasInvoker, budget: RetryBudget): FaasInvoker {
    const { retry, retryLayer } = this.#options;
    const own = job.retry ?? retry;
    if (own === false) return inner;
    // Behind an open circuit a job with a local fallback runs here instead of waiting.
    const waitWhenRejected = job.localFallback !== true;
    const policy = retry === false ? own : { ...retry, ...own };
    return retryLayer({ waitWhenRejected, ...policy, budget })(inner);
  }

  newBudget(): RetryBudget {
    return new RetryBudget(this.#options.retryBudget);
  }

  /** One for each executor, whatever jobs share it. */
  budgetOf(executor: FaasInvoker): RetryBudget {
    let budget = this.#budgets.get(executor);
    if (budget === undefined) {
      budget = this.newBudget();
      this.#budgets.set(executor, budget);
    }
    return budget;
  }

  executorGate(executor: FaasInvoker): Gate | undefined {
    const limit = this.#options.executorConcurrency.get(executor);
    if (limit === undefined) return undefined;
    let gate = this.#gates.get(executor);
    if (gate === undefined) {
      gate = new Gate(limit);
      this.#gates.set(executor, gate);
    }
    return gate;
  }

  #ofHandler(handler: JobHandler<unknown, unknown>, route: 'always' | 'fallback'): JobRoute {
    const name = handler.name === '' ? route : handler.name;
    return new JobRoute(defineJob({ id: 0, name, handler }), route, this);
  }
}
