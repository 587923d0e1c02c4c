/**
 * deployJob: reads what is there and writes what differs, one step after the other; the first that fails ends it. What
 * was written stays, and the next deploy goes on from there: the tag with the code's hash is written last of all, and the
 * hash of the code before is taken away first, so that a tag never speaks of code that is not there.
 */
import type { Site } from '@azure/arm-appservice';
import { FaasError } from '../../core/errors.js';
import type { Artifact, Deployment } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import type { CallScope } from '../../core/scope.js';
import { DeployJournal } from '../shared/deploy-journal.js';
import { inScope } from '../shared/in-scope.js';
import { isObject } from '../shared/json.js';
import type { Access } from './access.js';
import {
  CODE_SHA256,
  CREATED_BY,
  codeTags,
  configurationOf,
  type Ground,
  isSameSite,
  JOB_ID,
  OURS,
  PACKAGE_URL,
  publishingTags,
  settingsOf,
  siteOf,
  type Tags,
} from './app-shape.js';
import { type AppSpec, appSpec } from './app-spec.js';
import { type Arm, absentIfMissing, GROUPS_API, WEB_API } from './arm.js';
import { deploymentOf } from './describe.js';
import type { GroundWork } from './ground.js';
import type { Invoker } from './invoke.js';
import { type AzureFunctionConfig, type DeployStep, PROVIDER, type Settings } from './options.js';
import { uploadPackage } from './package-blob.js';
import { hasEntryIn } from './package-entry.js';
import { Readiness } from './ready.js';
import type { Scm } from './scm.js';

type Journal = DeployJournal<DeployStep>;
type AppSettings = Record<string, string>;

export class Deployer {
  readonly #settings: Settings;
  readonly #arm: Arm;
  readonly #ground: GroundWork;
  readonly #scm: Scm;
  readonly #ready: Readiness;

  constructor(
    settings: Settings,
    parts: { arm: Arm; ground: GroundWork; scm: Scm; access: Access; invoker: Invoker },
  ) {
    this.#settings = settings;
    this.#arm = parts.arm;
    this.#ground = parts.ground;
    this.#scm = parts.scm;
    this.#ready = new Readiness(settings, parts.access, parts.invoker);
  }

  async deploy(
    jobId: JobId,
    artifact: Artifact,
    config: Partial<AzureFunctionConfig>,
    signal: AbortSignal | undefined,
  ): Promise<Deployment> {
    const hasEntry = await hasEntryIn(artifact.bytes);
    const spec = appSpec(this.#settings, jobId, artifact, hasEntry, config);
    const { appName: functionName } = spec;
    const journal: Journal = new DeployJournal<DeployStep>(
      'group',
      { jobId, functionName },
      this.#settings.onProgress,
    );
    return inScope(signal, this.#settings.deployTimeoutMs, async (scope) => {
      try {
        return await this.#steps(spec, scope, journal);
      } catch (failure) {
        throw journal.explain(failure);
      }
    });
  }

  async #steps(spec: AppSpec, scope: CallScope, journal: Journal): Promise<Deployment> {
    const { appName } = spec;
    const before = await this.#site(spec, scope, journal);
    const ground = await this.#ground.prepare(spec, scope, journal);
    const made = await this.#app(spec, ground, before, scope, journal);
    const hasNewConfiguration = before !== undefined && (await this.#configuration(spec, scope, journal));
    const { settings, isNew: hasNewSettings } = await this.#appSettings(spec, ground, scope, journal);
    journal.at('publish');
    const hasNewCode = made.tags?.[CODE_SHA256] !== spec.artifact.sha256;
    if (hasNewCode) {
      const marks = publishingTags(spec, made);
      if (marks !== undefined) await this.#tag(spec, marks, scope);
      await this.#publish(spec, ground, made, settings, scope, journal);
    }
    const site = (await this.#read(appName, scope)) ?? made;
    // Each of these restarts the app. What was asked for and was there needs no waiting.
    if (hasNewCode || hasNewSettings || hasNewConfiguration || made !== before)
      await this.#ready.wait(spec, site, scope, journal);
    const tags = codeTags(spec);
    if (Object.entries(tags).some(([name, value]) => made.tags?.[name] !== value))
      await this.#tag(spec, tags, scope);
    journal.begin('done');
    return deploymentOf(spec.jobId, appName, { ...site, tags: { ...site.tags, ...tags } }, settings);
  }

  /** @throws {FaasError} CONFLICT for an app that is not ours, or stands on another plan than it shall */
  async #site(
    { jobId, appName, planName }: AppSpec,
    scope: CallScope,
    journal: Journal,
  ): Promise<Site | undefined> {
    journal.at('app');
    const site = await this.#read(appName, scope);
    if (site === undefined) return undefined;
    if (!isOurs(site, jobId))
      throw conflict(
        appName,
        'belongs to someone else (it has no tags of jobferry). Choose another `appName`',
      );
    if (site.serverFarmId?.split('/').at(-1)?.toLowerCase() !== planName.toLowerCase())
      throw conflict(appName, 'stands on another plan, and an app never moves. Undeploy it first');
    return site;
  }

  #read(appName: string, scope: CallScope): Promise<Site | undefined> {
    const { resourceGroup } = this.#settings;
    return this.#arm.sdk(appName, scope, ({ webApps }) =>
      absentIfMissing(webApps.get(resourceGroup, appName, { abortSignal: scope.signal })),
    );
  }

  async #app(
    spec: AppSpec,
    ground: Ground,
    current: Site | undefined,
    scope: CallScope,
    journal: Journal,
  ): Promise<Site> {
    journal.at('app');
    const { appName } = spec;
    const wanted = siteOf(spec, ground, current);
    if (current !== undefined && isSameSite(wanted, current)) return current;
    journal.begin('app');
    const made = await this.#arm.sdk(appName, scope, ({ webApps }) => {
      const { resourceGroup, pollMs } = this.#settings;
      const waits = { abortSignal: scope.signal, updateIntervalInMs: pollMs };
      return webApps.createOrUpdate(resourceGroup, appName, wanted, waits).pollUntilDone(waits);
    });
    journal.written('app');
    return made;
  }

  /** Where it is no Flex Consumption, runtime and instances are not the site's. Resolves to whether it was written. */
  async #configuration(spec: AppSpec, scope: CallScope, journal: Journal): Promise<boolean> {
    if (spec.plan.kind === 'flex') return false;
    const { appName } = spec;
    const { resourceGroup } = this.#settings;
    const options = { abortSignal: scope.signal };
    return this.#arm.sdk(appName, scope, async ({ webApps }) => {
      const current = await webApps.getConfiguration(resourceGroup, appName, options);
      const wanted = configurationOf(spec);
      if (
        current.linuxFxVersion?.toLowerCase() === wanted.linuxFxVersion?.toLowerCase() &&
        (current.minimumElasticInstanceCount ?? 0) === (wanted.minimumElasticInstanceCount ?? 0)
      )
        return false;
      journal.begin('app');
      await webApps.updateConfiguration(resourceGroup, appName, wanted, options);
      journal.written('app');
      return true;
    });
  }

  /** The settings as they are now. A write replaces them all and restarts the app, so equal ones are not written. */
  async #appSettings(
    spec: AppSpec,
    ground: Ground,
    scope: CallScope,
    journal: Journal,
  ): Promise<{ settings: AppSettings; isNew: boolean }> {
    journal.at('settings');
    const { appName } = spec;
    const current = await this.#listSettings(appName, scope);
    const wanted = settingsOf(spec, ground, current);
    if (isEqual(wanted, current)) return { settings: current, isNew: false };
    journal.begin('settings');
    await this.#writeSettings(appName, wanted, scope);
    journal.written('settings');
    return { settings: wanted, isNew: true };
  }

  async #listSettings(appName: string, scope: CallScope): Promise<AppSettings> {
    const { resourceGroup } = this.#settings;
    const { properties = {} } = await this.#arm.sdk(appName, scope, ({ webApps }) =>
      webApps.listApplicationSettings(resourceGroup, appName, { abortSignal: scope.signal }),
    );
    return properties;
  }

  async #writeSettings(appName: string, properties: AppSettings, scope: CallScope): Promise<void> {
    const { resourceGroup } = this.#settings;
    await this.#arm.sdk(appName, scope, ({ webApps }) =>
      webApps.updateApplicationSettings(
        resourceGroup,
        appName,
        { properties },
        { abortSignal: scope.signal },
      ),
    );
  }

  async #publish(
    spec: AppSpec,
    ground: Ground,
    site: Site,
    settings: AppSettings,
    scope: CallScope,
    journal: Journal,
  ): Promise<void> {
    journal.begin('publish');
    if (spec.plan.kind === 'consumption') {
      // Its deployment service takes no package that is already built: the host reads it from storage.
      const url = await uploadPackage(spec, ground, scope);
      await this.#writeSettings(spec.appName, { ...settings, [PACKAGE_URL]: url }, scope);
    } else {
      await this.#scm.publish(spec, site, scope, (state) => journal.waitFor('publish', state));
    }
    journal.written('publish');
    if (spec.plan.kind === 'flex') return;
    // By a plain request: the client takes 204 for the one right answer.
    const path = `${this.#arm.sitePath(spec.appName)}/syncfunctiontriggers`;
    await this.#arm.request('POST', path, WEB_API, spec.appName, scope);
  }

  /** Through the tags' own interface: another PUT of the site would restart it. */
  async #tag(spec: AppSpec, tags: Tags, scope: CallScope): Promise<void> {
    const path = `${this.#arm.sitePath(spec.appName)}/providers/Microsoft.Resources/tags/default`;
    await this.#arm.request('PATCH', path, GROUPS_API, spec.appName, scope, {
      operation: 'Merge',
      properties: { tags },
    });
  }
}

export function isOurs(site: { readonly tags?: Record<string, string> }, jobId: JobId): boolean {
  return isObject(site.tags) && site.tags[CREATED_BY] === OURS && site.tags[JOB_ID] === String(jobId);
}

function isEqual(a: AppSettings, b: AppSettings): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

function conflict(functionName: string, why: string): FaasError {
  const message = `${functionName} ${why}.`;
  return new FaasError({ code: 'CONFLICT', executed: 'no', provider: PROVIDER, functionName, message });
}
