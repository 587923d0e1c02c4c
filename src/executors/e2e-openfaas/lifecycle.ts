/** deployJob and the rest of a function's life, the same for every profile. Reads first, writes only what differs. */
import { FaasError } from '../../core/errors.js';
import type { Artifact, Deployment, Health, LogEntry, LogOptions } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { type CallScope, callContext, sleep } from '../../core/scope.js';
import { isTransient, untilItWorks } from '../shared/control-retry.js';
import { DeployJournal } from '../shared/deploy-journal.js';
import { instanceOf } from '../shared/entry-call.js';
import { inScope } from '../shared/in-scope.js';
import { checkInstances, countWarm } from '../shared/warm-pings.js';
import { notExecuted } from './api.js';
import type { Invoker } from './invoke.js';
import { type DeployStep, type E2eOpenFaasFunctionConfig, PROVIDER } from './options.js';
import type { DeployPlan, Profile, RemoteFunction } from './profile.js';
import { functionNameOf, type Settings } from './settings.js';

const TIMEOUT_MS = 120_000;
/** Pings that are in flight together need an instance each. */
const HOLD_MS = 150;
const POLL_GROWTH = 1.5;
const MAX_POLL_GROWTH = 50;
/** A function that had failed may be shown as failed for a moment after it was written anew. */
const STALE_FAILURES = 3;

export class Lifecycle {
  readonly #settings: Settings;
  readonly #profile: Profile;
  readonly #invoker: Invoker;

  constructor(settings: Settings, profile: Profile, invoker: Invoker) {
    this.#settings = settings;
    this.#profile = profile;
    this.#invoker = invoker;
  }

  async deploy(
    jobId: JobId,
    artifact: Artifact,
    config: Partial<E2eOpenFaasFunctionConfig>,
    signal: AbortSignal | undefined,
  ): Promise<Deployment> {
    const plan = this.#profile.plan(jobId, artifact, config);
    const { functionName } = plan;
    const { deployTimeoutMs, onProgress } = this.#settings;
    const journal = new DeployJournal<DeployStep>('read', { jobId, functionName }, onProgress);
    return inScope(signal, deployTimeoutMs, async (scope) => {
      try {
        journal.begin('read');
        let wasFailed = false;
        await untilItWorks(scope, async () => {
          const current = await this.#profile.read(functionName, scope);
          if (current?.state === 'deleting') throw leaving(functionName);
          if (current?.digest === plan.digest && current.state !== 'failed') return;
          wasFailed = current?.state === 'failed';
          await plan.apply(current, journal, scope);
        });
        const found = await this.#untilInvocable(plan, wasFailed, journal, scope);
        this.#invoker.forget(jobId);
        journal.begin('done');
        return this.#deployment(jobId, found);
      } catch (failure) {
        throw journal.explain(failure);
      }
    });
  }

  describe(jobId: JobId, signal: AbortSignal | undefined): Promise<Deployment | undefined> {
    return this.#control(signal, async (scope) => {
      const found = await this.#profile.read(functionNameOf(this.#settings, jobId), scope);
      return found === undefined ? undefined : this.#deployment(jobId, found);
    });
  }

  /** Only functions that carry a job id and the name this executor gives it. */
  list(signal: AbortSignal | undefined): Promise<Deployment[]> {
    return this.#control(signal, async (scope) => {
      const found = await this.#profile.list(scope);
      return found.flatMap((one) => {
        const { jobId, name } = one;
        const isOurs = jobId !== undefined && name === functionNameOf(this.#settings, jobId);
        return isOurs ? [this.#deployment(jobId, one)] : [];
      });
    });
  }

  health(jobId: JobId, signal: AbortSignal | undefined): Promise<Health> {
    return this.#control(signal, async (scope): Promise<Health> => {
      const found = await this.#profile.read(functionNameOf(this.#settings, jobId), scope);
      if (found === undefined) return { status: 'missing' };
      // While it is updated, what was there before goes on answering; at zero, a call wakes it.
      const isHealthy = found.state === 'running' || found.state === 'updating' || found.state === 'idle';
      return isHealthy ? { status: 'healthy' } : { status: 'unhealthy', reason: found.stateText };
    });
  }

  /** With our entry by pings; other functions are scaled, since a ping would run them. */
  async warm(jobId: JobId, instances: number, signal: AbortSignal | undefined): Promise<number> {
    checkInstances(instances, PROVIDER, functionNameOf(this.#settings, jobId));
    return this.#control(signal, async (scope) => {
      const found = await this.#need(jobId, scope);
      if (this.#settings.payload === 'raw')
        return (await this.#scaleTo(found, instances, scope)).replicas ?? 0;
      return countWarm(instances, PROVIDER, scope, async () =>
        instanceOf(await this.#invoker.ping(jobId, HOLD_MS, scope)),
      );
    });
  }

  /** @returns how many copies there shall be now: a gateway may allow more or fewer than were asked for */
  scale(jobId: JobId, replicas: number, signal: AbortSignal | undefined): Promise<number> {
    return this.#control(signal, async (scope) => {
      const found = await this.#need(jobId, scope);
      return (await this.#scaleTo(found, replicas, scope)).replicas ?? 0;
    });
  }

  undeploy(jobId: JobId, signal: AbortSignal | undefined): Promise<void> {
    const functionName = functionNameOf(this.#settings, jobId);
    return this.#control(signal, async (scope) => {
      await untilItWorks(scope, () => this.#profile.remove(functionName, scope));
      await this.#poll(scope, async () => {
        const found = await this.#profile.read(functionName, scope);
        const isInvented = this.#profile.invents === true && found?.jobId === undefined;
        return found === undefined || isInvented || undefined;
      });
      this.#invoker.forget(jobId);
    });
  }

  async *logs(jobId: JobId, options: LogOptions): AsyncGenerator<LogEntry> {
    const { signal } = options;
    using scope = callContext(signal === undefined ? {} : { signal });
    try {
      const { name } = await this.#need(jobId, scope);
      yield* this.#profile.logs(name, options, scope);
    } catch (failure) {
      // Giving up is how following ends.
      if (!signal?.aborted) throw notExecuted(failure);
    }
  }

  /** Until calls are answered; why not, in the API's own words, is part of the error. */
  async #untilInvocable(
    plan: DeployPlan,
    wasFailed: boolean,
    journal: DeployJournal<DeployStep>,
    scope: CallScope,
  ): Promise<RemoteFunction> {
    let staleFailures = wasFailed ? STALE_FAILURES : 0;
    let wasWoken = false;
    let said = '';
    const wait = (what: string): undefined => {
      if (what !== said) journal.waitFor('wait', what);
      said = what;
    };
    return this.#poll(scope, async () => {
      const found = await this.#profile.read(plan.functionName, scope);
      if (found === undefined) return wait('it is not there yet');
      if (found.digest !== undefined && found.digest !== plan.digest)
        return wait('the change is not shown yet');
      if (found.state === 'running' || (found.state === 'idle' && plan.mayIdle)) {
        return found.invokeUrl === undefined ? wait('it has no address yet') : found;
      }
      wait(found.stateText);
      if (found.state === 'failed' && staleFailures-- <= 0) throw cannotRun(plan, found);
      if (found.state === 'idle' && !wasWoken && this.#profile.scale !== undefined) {
        wasWoken = true;
        journal.begin('scale');
        await this.#profile.scale(found, 1, scope);
      }
      return undefined;
    });
  }

  async #scaleTo(found: RemoteFunction, replicas: number, scope: CallScope): Promise<RemoteFunction> {
    const { name: functionName } = found;
    const { scale } = this.#profile;
    const refuse = (code: 'UNSUPPORTED' | 'CONFIG', why: string) => {
      const message = `${functionName} was not scaled: ${why}.`;
      throw new FaasError({ code, executed: 'no', provider: PROVIDER, functionName, message });
    };
    if (scale === undefined) {
      return refuse(
        'UNSUPPORTED',
        `the profile ${this.#settings.profile} has no scaling. Deploy with other replicas`,
      );
    }
    if (!Number.isSafeInteger(replicas) || replicas < 0)
      return refuse('CONFIG', 'replicas are an integer of 0 or more');
    await this.#profile.scale?.(found, replicas, scope);
    return this.#poll(scope, async () => {
      const now = await this.#profile.read(functionName, scope);
      const isThere = now !== undefined && (now.state === 'running' || now.state === 'idle');
      return isThere ? now : undefined;
    });
  }

  /** Until `look` finds something, in waits that grow. A server that stumbles is asked again. */
  async #poll<T>(scope: CallScope, look: () => Promise<T | undefined>): Promise<T> {
    const { pollMs } = this.#settings;
    for (let waitMs = pollMs; ; waitMs = Math.min(waitMs * POLL_GROWTH, pollMs * MAX_POLL_GROWTH)) {
      try {
        const found = await look();
        if (found !== undefined) return found;
      } catch (failure) {
        if (!isTransient(failure)) throw failure;
      }
      await sleep(waitMs, scope);
    }
  }

  async #need(jobId: JobId, scope: CallScope): Promise<RemoteFunction> {
    const functionName = functionNameOf(this.#settings, jobId);
    const found = await this.#profile.read(functionName, scope);
    if (found !== undefined) return found;
    const message = `${functionName} is not deployed at ${this.#settings.url.origin}.`;
    throw new FaasError({ code: 'NOT_FOUND', executed: 'no', provider: PROVIDER, functionName, message });
  }

  async #control<T>(signal: AbortSignal | undefined, work: (scope: CallScope) => Promise<T>): Promise<T> {
    return inScope(signal, TIMEOUT_MS, work).catch((failure: unknown) => {
      throw notExecuted(failure);
    });
  }

  #deployment(jobId: JobId, found: RemoteFunction): Deployment {
    const { memoryMb, timeoutSecs, maxConcurrency, deployedAt, sha256, artifactBytes } = found;
    return {
      jobId,
      functionName: found.name,
      provider: PROVIDER,
      endpoint: found.invokeUrl ?? '',
      ...(memoryMb !== undefined && { memoryMb }),
      ...(timeoutSecs !== undefined && { timeoutSecs }),
      ...(maxConcurrency !== undefined && { maxConcurrency }),
      ...(deployedAt !== undefined && { deployedAt }),
      ...(artifactBytes !== undefined && { artifactBytes }),
      ...(sha256 !== undefined && { sha256 }),
    };
  }
}

/** Waited for like an outage: once it is gone it can be made again. */
function leaving(functionName: string): FaasError {
  const message = `An earlier ${functionName} is still being deleted.`;
  return new FaasError({ code: 'UNAVAILABLE', executed: 'no', provider: PROVIDER, functionName, message });
}

function cannotRun({ functionName }: DeployPlan, { stateText }: RemoteFunction): FaasError {
  const message = `It cannot run: ${stateText}.`;
  return new FaasError({ code: 'CONFIG', executed: 'no', provider: PROVIDER, functionName, message });
}
