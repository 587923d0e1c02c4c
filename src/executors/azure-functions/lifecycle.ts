/** All of an app's life but its deploy: describe, list, health, warm, undeploy. */
import type { Site } from '@azure/arm-appservice';
import { FaasError, type FaasErrorCode } from '../../core/errors.js';
import type { Deployment, Health } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import type { CallScope } from '../../core/scope.js';
import { inScope } from '../shared/in-scope.js';
import { checkInstances, countWarm } from '../shared/warm-pings.js';
import type { Access } from './access.js';
import { answersPings, CREATED_BY, JOB_ID, OURS } from './app-shape.js';
import { planNamesOf } from './app-spec.js';
import { type Arm, absentIfMissing } from './arm.js';
import { isOurs } from './deploy.js';
import { deploymentOf } from './describe.js';
import type { Invoker } from './invoke.js';
import { type AppAccess, appNameOf, PROVIDER, type Settings } from './options.js';
import { collect, type Removal } from './removal.js';

const TIMEOUT_MS = 300_000;
/** Pings that are in flight together need an instance each. */
const HOLD_MS = 150;
/** What is said of the keys of a host that has not started. */
const NO_KEY: ReadonlySet<FaasErrorCode> = new Set<FaasErrorCode>(['NOT_FOUND', 'INVALID_REQUEST']);

export class Lifecycle {
  readonly #settings: Settings;
  readonly #arm: Arm;
  readonly #removal: Removal;
  readonly #access: Access;
  readonly #invoker: Invoker;

  constructor(settings: Settings, parts: { arm: Arm; removal: Removal; access: Access; invoker: Invoker }) {
    this.#settings = settings;
    this.#arm = parts.arm;
    this.#removal = parts.removal;
    this.#access = parts.access;
    this.#invoker = parts.invoker;
  }

  describe(jobId: JobId, signal: AbortSignal | undefined): Promise<Deployment | undefined> {
    const appName = appNameOf(this.#settings, jobId);
    return inScope(signal, TIMEOUT_MS, async (scope) => {
      const site = await this.#site(jobId, scope);
      if (site === undefined) return undefined;
      const { properties = {} } = await this.#arm.sdk(appName, scope, ({ webApps }) =>
        webApps.listApplicationSettings(this.#settings.resourceGroup, appName, { abortSignal: scope.signal }),
      );
      return deploymentOf(jobId, appName, site, properties);
    });
  }

  /** The apps of the group with our tags and the name this executor gives them. Time limits are not among what a list says. */
  list(signal: AbortSignal | undefined): Promise<Deployment[]> {
    const { resourceGroup } = this.#settings;
    return inScope(signal, TIMEOUT_MS, async (scope) => {
      const sites = await this.#arm.sdk(resourceGroup, scope, ({ webApps }) =>
        absentIfMissing(collect(webApps.listByResourceGroup(resourceGroup, { abortSignal: scope.signal }))),
      );
      const found = (sites ?? []).flatMap((site) => {
        const jobId = Number(site.tags?.[JOB_ID]);
        if (site.tags?.[CREATED_BY] !== OURS || !Number.isInteger(jobId)) return [];
        const { name = '' } = site;
        return name === appNameOf(this.#settings, jobId) ? [deploymentOf(jobId, name, site)] : [];
      });
      return found.sort((a, b) => a.jobId - b.jobId);
    });
  }

  /** Azure's word that the app runs and has a key, and an answer of its entry, where it has one. */
  health(jobId: JobId, signal: AbortSignal | undefined): Promise<Health> {
    return inScope(signal, TIMEOUT_MS, async (scope): Promise<Health> => {
      const site = await this.#site(jobId, scope);
      if (site === undefined) return { status: 'missing' };
      const { state, availabilityState } = site;
      if (state !== undefined && state !== 'Running')
        return { status: 'unhealthy', reason: `Azure says that the app is ${state}.` };
      if (availabilityState !== undefined && availabilityState !== 'Normal')
        return { status: 'unhealthy', reason: `Azure says that the app is available ${availabilityState}.` };
      let access: AppAccess | undefined;
      try {
        access = await this.#access.fresh(jobId, scope);
        if (answersPings(site)) await this.#invoker.pingAt(jobId, access, scope);
        return { status: 'healthy' };
      } catch (failure) {
        if (!FaasError.is(failure) || scope.reason !== undefined) throw failure;
        // What Azure's management API cannot say, nobody knows; that there is no key yet, it does say.
        if (access === undefined && !NO_KEY.has(failure.code)) throw failure;
        return { status: 'unhealthy', reason: failure.message };
      }
    });
  }

  /** Resolves to how many instances have answered. */
  async warm(jobId: JobId, instances: number, signal: AbortSignal | undefined): Promise<number> {
    checkInstances(instances, PROVIDER, appNameOf(this.#settings, jobId));
    return inScope(signal, TIMEOUT_MS, async (scope) => {
      const site = await this.#site(jobId, scope);
      if (site === undefined)
        throw this.#refuse(jobId, 'NOT_FOUND', 'is not deployed, so it cannot be warmed');
      if (!answersPings(site)) {
        // A ping would be a request like any other to it: it would run the job.
        throw this.#refuse(
          jobId,
          'UNSUPPORTED',
          'is not known to answer warm pings. Package it for the target azure-functions, and deploy it again',
        );
      }
      return countWarm(instances, PROVIDER, scope, () => this.#invoker.ping(jobId, HOLD_MS, scope));
    });
  }

  /** The app, its plan when no other app is on it, its packages. What several jobs share stays. */
  undeploy(jobId: JobId, signal: AbortSignal | undefined): Promise<void> {
    const appName = appNameOf(this.#settings, jobId);
    return inScope(signal, TIMEOUT_MS, async (scope) => {
      this.#access.forget(jobId);
      const site = await this.#site(jobId, scope);
      if (site !== undefined) {
        await this.#arm.sdk(appName, scope, ({ webApps }) =>
          absentIfMissing(
            webApps.delete(this.#settings.resourceGroup, appName, {
              deleteEmptyServerFarm: true,
              deleteMetrics: true,
              abortSignal: scope.signal,
            }),
          ),
        );
      }
      await this.#removal.emptyPlans(plansOf(appName, site), scope);
      await this.#removal.container(`job-${jobId}`, scope);
    });
  }

  removeShared(signal: AbortSignal | undefined): Promise<string[]> {
    return inScope(signal, TIMEOUT_MS, (scope) => this.#removal.shared(scope));
  }

  /** @throws {FaasError} CONFLICT for an app of the name that is not ours: it is neither described nor deleted */
  async #site(jobId: JobId, scope: CallScope): Promise<Site | undefined> {
    const appName = appNameOf(this.#settings, jobId);
    const site = await this.#arm.sdk(appName, scope, ({ webApps }) =>
      absentIfMissing(webApps.get(this.#settings.resourceGroup, appName, { abortSignal: scope.signal })),
    );
    if (site === undefined || isOurs(site, jobId)) return site;
    const why = 'belongs to someone else (it has no tags of jobferry). Choose another `appName`';
    throw this.#refuse(jobId, 'CONFLICT', why);
  }

  #refuse(jobId: JobId, code: FaasErrorCode, why: string): FaasError {
    const functionName = appNameOf(this.#settings, jobId);
    const message = `${functionName} ${why}.`;
    return new FaasError({ code, executed: 'no', provider: PROVIDER, functionName, message });
  }
}

/** Of an app that is not there any more, or that was never made: each it may have been made for. */
function plansOf(appName: string, site: Site | undefined): string[] {
  const planName = site?.serverFarmId?.split('/').at(-1);
  return planName === undefined ? planNamesOf(appName) : [planName];
}
