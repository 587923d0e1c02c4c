/** The rest of a function's life: look at it, warm it, take it away. */
import { FaasError } from '../../core/errors.js';
import type { Artifact, Deployment, Health } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { type CallScope, sleep } from '../../core/scope.js';
import { instanceOf } from '../shared/entry-call.js';
import { inScope } from '../shared/in-scope.js';
import { checkInstances, countWarm } from '../shared/warm-pings.js';
import type { Addresses } from './addresses.js';
import type { CloudFunction, ControlPlane } from './control-plane.js';
import { Deploy, isConflict } from './deploy.js';
import { artifactOf, ENTRY, functionSpec, JOB_ID } from './function-spec.js';
import { operationError, reasonOf, standingOf } from './function-state.js';
import type { Invoker } from './invoke.js';
import { memoryMbOf } from './memory.js';
import { functionNameOf, type GcpFunctionConfig, PROVIDER, type Settings } from './options.js';
import type { Rest } from './rest.js';

const TIMEOUT_MS = 120_000;
/** Pings that are in flight together need an instance each. */
const HOLD_MS = 150;

export class Lifecycle {
  readonly #settings: Settings;
  readonly #control: ControlPlane;
  readonly #rest: Rest;
  readonly #addresses: Addresses;
  readonly #invoker: Invoker;

  constructor(settings: Settings, control: ControlPlane, rest: Rest, addresses: Addresses, invoker: Invoker) {
    this.#settings = settings;
    this.#control = control;
    this.#rest = rest;
    this.#addresses = addresses;
    this.#invoker = invoker;
  }

  deploy(
    jobId: JobId,
    artifact: Artifact,
    partial: Partial<GcpFunctionConfig>,
    signal: AbortSignal | undefined,
  ): Promise<Deployment> {
    const spec = functionSpec(this.#settings, jobId, artifact, partial);
    return inScope(signal, this.#settings.deployTimeoutMs, async (scope) => {
      const fn = await new Deploy(this.#settings, this.#control, this.#rest, spec, scope).run();
      this.#addresses.deployed(jobId, fn);
      return this.#deployment(jobId, fn);
    });
  }

  describe(jobId: JobId, signal: AbortSignal | undefined): Promise<Deployment | undefined> {
    return inScope(signal, TIMEOUT_MS, async (scope) => {
      const fn = await this.#control.get(functionNameOf(this.#settings, jobId), scope);
      return fn === undefined ? undefined : this.#deployment(jobId, fn);
    });
  }

  list(signal: AbortSignal | undefined): Promise<Deployment[]> {
    return inScope(signal, TIMEOUT_MS, async (scope) => {
      const found: Deployment[] = [];
      for await (const fn of this.#control.list(scope)) {
        const jobId = Number(fn.labels?.[JOB_ID] ?? Number.NaN);
        if (!Number.isInteger(jobId)) continue;
        if (fn.name?.split('/').at(-1) === functionNameOf(this.#settings, jobId))
          found.push(this.#deployment(jobId, fn));
      }
      return found;
    });
  }

  health(jobId: JobId, signal: AbortSignal | undefined): Promise<Health> {
    return inScope(signal, TIMEOUT_MS, async (scope): Promise<Health> => {
      const fn = await this.#control.get(functionNameOf(this.#settings, jobId), scope);
      if (fn === undefined) return { status: 'missing' };
      if (standingOf(fn) === 'active') return { status: 'healthy' };
      return { status: 'unhealthy', reason: reasonOf(fn) };
    });
  }

  /** Resolves to how many instances have answered, or to how many Google keeps. */
  async warm(jobId: JobId, instances: number, signal: AbortSignal | undefined): Promise<number> {
    const functionName = functionNameOf(this.#settings, jobId);
    checkInstances(instances, PROVIDER, functionName);
    const refuse = (code: 'NOT_FOUND' | 'UNSUPPORTED', why: string) =>
      new FaasError({
        code,
        executed: 'no',
        provider: PROVIDER,
        functionName,
        message: `${functionName} ${why}.`,
      });
    return inScope(signal, TIMEOUT_MS, async (scope) => {
      const fn = await this.#control.get(functionName, scope);
      if (fn === undefined) throw refuse('NOT_FOUND', 'is not deployed, so it cannot be warmed');
      const kept = fn.serviceConfig?.minInstanceCount ?? 0;
      if (kept >= instances) return kept;
      if (fn.labels?.[ENTRY] === undefined) {
        // A ping would be a request like any other to it: it would run the job.
        throw refuse(
          'UNSUPPORTED',
          'does not know warm pings. Package it for the target gcp-functions, or deploy it with `keepWarm`',
        );
      }
      return countWarm(instances, PROVIDER, scope, async () =>
        instanceOf(await this.#invoker.ping(jobId, HOLD_MS, scope)),
      );
    });
  }

  undeploy(jobId: JobId, signal: AbortSignal | undefined): Promise<void> {
    const functionName = functionNameOf(this.#settings, jobId);
    return inScope(signal, this.#settings.deployTimeoutMs, async (scope) => {
      this.#addresses.forget(jobId);
      for (;;) {
        try {
          const operation = await this.#control.remove(functionName, scope);
          return await this.#removed(operation, functionName, scope);
        } catch (failure) {
          if (FaasError.is(failure) && failure.code === 'NOT_FOUND') return;
          // A deploy that is under way ends first.
          if (!isConflict(failure)) throw failure;
          await sleep(this.#settings.pollMs, scope);
        }
      }
    });
  }

  async #removed(operation: string, functionName: string, scope: CallScope): Promise<void> {
    for (;;) {
      const state = await this.#control.operation(operation, functionName, scope);
      if (state.error !== undefined) {
        throw operationError(state, { provider: PROVIDER, functionName, origin: 'Google Cloud' });
      }
      if (state.isDone) return;
      await sleep(this.#settings.pollMs, scope);
    }
  }

  #deployment(jobId: JobId, fn: CloudFunction): Deployment {
    const functionName = functionNameOf(this.#settings, jobId);
    const { serviceConfig = {} } = fn;
    const memoryMb = memoryMbOf(serviceConfig?.availableMemory);
    const seconds = Number(fn.updateTime?.seconds ?? Number.NaN);
    const { timeoutSeconds, maxInstanceCount, maxInstanceRequestConcurrency, uri } = serviceConfig ?? {};
    return {
      jobId,
      functionName,
      provider: PROVIDER,
      endpoint: uri ?? '',
      ...(memoryMb !== undefined && { memoryMb }),
      ...(timeoutSeconds && { timeoutSecs: timeoutSeconds }),
      ...(maxInstanceCount && { maxConcurrency: maxInstanceCount * (maxInstanceRequestConcurrency || 1) }),
      ...(!Number.isNaN(seconds) && { deployedAt: new Date(seconds * 1000).toISOString() }),
      ...artifactOf(fn),
    };
  }
}
