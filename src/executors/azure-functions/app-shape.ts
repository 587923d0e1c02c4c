/** An app in Azure's words: the site, its settings, its tags; and whether the one that is there is the one asked for. */
import { isDeepStrictEqual } from 'node:util';
import type { FunctionAppConfig, ManagedServiceIdentity, Site, SiteConfig } from '@azure/arm-appservice';
import { sorted } from '../shared/config-check.js';
import type { AppSpec } from './app-spec.js';

export type Tags = Readonly<Record<string, string>>;
type AppSettings = Readonly<Record<string, string>>;

export const CREATED_BY = 'created-by';
export const OURS = 'jobferry';
export const JOB_ID = 'jobferry-job-id';
export const CODE_SHA256 = 'jobferry-code-sha256';
export const CODE_BYTES = 'jobferry-code-bytes';
/** `1` or `0`: whether the code answers pings. */
const ENTRY = 'jobferry-entry';
const LABELS = 'jobferry-labels';
const PUBLISHING = 'publishing';

/** The names of settings that a deploy of ours has made: those, and no others, are ours to remove. */
const OWN_SETTINGS = 'JOBFERRY_SETTINGS';
export const PACKAGE_URL = 'WEBSITE_RUN_FROM_PACKAGE';
const TIMEOUT = 'AzureFunctionsJobHost__functionTimeout';
const STORAGE = 'AzureWebJobsStorage';
const DEPLOYMENT_STORAGE = 'DEPLOYMENT_STORAGE_CONNECTION_STRING';

/** What exists before an app does. */
export interface Ground {
  readonly location: string;
  readonly planId: string;
  /** Holds a key. */
  readonly connectionString: string;
  /** `https://ACCOUNT.blob.core.windows.net/CONTAINER` */
  readonly containerUrl: string;
}

/** A PUT replaces the whole, so what others have set is carried over. */
export function siteOf(spec: AppSpec, ground: Ground, current: Site | undefined): Site {
  const { plan, identity } = spec;
  const isFlex = plan.kind === 'flex';
  return {
    kind: 'functionapp,linux',
    location: current?.location ?? ground.location,
    tags: tagsOf(spec, current?.tags ?? entryTag(spec)),
    serverFarmId: ground.planId,
    httpsOnly: true,
    reserved: true,
    ...identityOf(spec, current?.identity),
    ...(identity !== undefined && { keyVaultReferenceIdentity: identity }),
    ...(isFlex && { functionAppConfig: flexConfig(spec, ground) }),
    ...(current === undefined && {
      siteConfig: {
        ...(!isFlex && configurationOf(spec)),
        appSettings: nameValues(settingsOf(spec, ground, {})),
      },
    }),
  };
}

/** What is no part of the site itself once it is there; on Flex Consumption it is part of functionAppConfig. */
export function configurationOf({ plan, runtime, alwaysReady }: AppSpec): SiteConfig {
  return {
    linuxFxVersion: `${runtime.name}|${runtime.version}`,
    ...(plan.kind === 'premium' && { minimumElasticInstanceCount: alwaysReady }),
  };
}

export function isSameSite(wanted: Site, current: Site): boolean {
  const sameIdentity =
    wanted.identity === undefined ||
    (current.identity?.type?.includes(wanted.identity.type ?? '') === true &&
      Object.keys(wanted.identity.userAssignedIdentities ?? {}).every((id) =>
        hasKey(current.identity?.userAssignedIdentities, id),
      ));
  return (
    isDeepStrictEqual(sortedTags(wanted.tags), sortedTags(current.tags)) &&
    current.httpsOnly === true &&
    sameIdentity &&
    isDeepStrictEqual(
      comparable(wanted.functionAppConfig, wanted.functionAppConfig),
      comparable(current.functionAppConfig, wanted.functionAppConfig),
    )
  );
}

/** The settings as they shall be: ours, those of others as they are, and none that we made and nobody wants any more. */
export function settingsOf(spec: AppSpec, ground: Ground, current: AppSettings): AppSettings {
  const before = new Set((current[OWN_SETTINGS] ?? '').split(','));
  const others = Object.entries(current).filter(([name]) => !before.has(name) && name !== OWN_SETTINGS);
  const ours: Record<string, string> = {
    ...spec.variables,
    [STORAGE]: ground.connectionString,
    [TIMEOUT]: timeSpan(spec.timeoutSecs),
    // On Flex Consumption the runtime belongs to functionAppConfig, and these make its deployments fail.
    ...(spec.plan.kind === 'flex'
      ? { [DEPLOYMENT_STORAGE]: ground.connectionString }
      : { FUNCTIONS_EXTENSION_VERSION: '~4', FUNCTIONS_WORKER_RUNTIME: spec.runtime.name }),
    ...(spec.plan.kind === 'premium' && { [PACKAGE_URL]: '1' }),
    ...spec.applicationInsights,
  };
  const names = Object.keys(ours).sort().join(',');
  return Object.fromEntries(sorted({ ...Object.fromEntries(others), ...ours, [OWN_SETTINGS]: names }));
}

export function timeoutSecsOf(settings: AppSettings): number | undefined {
  const [, hours, minutes, seconds] = /^(\d+):(\d\d):(\d\d)$/.exec(settings[TIMEOUT] ?? '') ?? [];
  if (seconds === undefined) return undefined;
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
}

/**
 * While a package is on its way, and after one that never arrived: nobody knows what code the app has, and it answers
 * pings only if both do. Undefined when the tags say no more than that already.
 */
export function publishingTags({ hasEntry }: AppSpec, { tags = {} }: Site): Tags | undefined {
  const entry = hasEntry && tags[ENTRY] === '1' ? '1' : '0';
  const isUnknown = (tags[CODE_SHA256] ?? PUBLISHING) === PUBLISHING;
  if (isUnknown && tags[ENTRY] === entry) return undefined;
  return { [CODE_SHA256]: PUBLISHING, [CODE_BYTES]: '', [ENTRY]: entry };
}

/** What a package that has arrived is known by. */
export function codeTags({ artifact, hasEntry }: AppSpec): Tags {
  return {
    [CODE_SHA256]: artifact.sha256,
    [CODE_BYTES]: String(artifact.bytes.length),
    ...entryTag({ hasEntry }),
  };
}

function entryTag({ hasEntry }: Pick<AppSpec, 'hasEntry'>): Tags {
  return { [ENTRY]: hasEntry ? '1' : '0' };
}

/** Whether the code of an app answers pings, as far as is known. */
export function answersPings({ tags }: Site): boolean {
  return tags?.[ENTRY] === '1';
}

function tagsOf({ jobId, labels }: AppSpec, current: Tags): Record<string, string> {
  const before = new Set((current[LABELS] ?? '').split(','));
  const others = Object.entries(current).filter(([name]) => !before.has(name) && name !== LABELS);
  const names = Object.keys(labels).sort().join(',');
  return {
    ...Object.fromEntries(others),
    ...labels,
    [CREATED_BY]: OURS,
    [JOB_ID]: String(jobId),
    ...(names !== '' && { [LABELS]: names }),
  };
}

function identityOf(
  { identity, hasSecrets }: AppSpec,
  current: ManagedServiceIdentity | undefined,
): { identity?: ManagedServiceIdentity } {
  if (identity !== undefined) {
    const hasOwn = current?.type?.includes('SystemAssigned') === true;
    const others = Object.keys(current?.userAssignedIdentities ?? {});
    return {
      identity: {
        type: hasOwn ? 'SystemAssigned, UserAssigned' : 'UserAssigned',
        userAssignedIdentities: Object.fromEntries([...others, identity].map((id) => [id, {}])),
      },
    };
  }
  if (!hasSecrets || current?.type?.includes('SystemAssigned'))
    return current === undefined ? {} : { identity: current };
  const others = Object.keys(current?.userAssignedIdentities ?? {});
  if (others.length === 0) return { identity: { type: 'SystemAssigned' } };
  return {
    identity: {
      type: 'SystemAssigned, UserAssigned',
      userAssignedIdentities: Object.fromEntries(others.map((id) => [id, {}])),
    },
  };
}

function flexConfig(spec: AppSpec, { containerUrl }: Ground): FunctionAppConfig {
  const { runtime, memoryMb, alwaysReady, maximumInstanceCount = 100, perInstanceConcurrency } = spec;
  return {
    deployment: {
      storage: {
        type: 'blobContainer',
        value: containerUrl,
        authentication: {
          type: 'StorageAccountConnectionString',
          storageAccountConnectionStringName: DEPLOYMENT_STORAGE,
        },
      },
    },
    runtime,
    scaleAndConcurrency: {
      instanceMemoryMB: memoryMb,
      maximumInstanceCount,
      alwaysReady: alwaysReady === 0 ? [] : [{ name: 'http', instanceCount: alwaysReady }],
      ...(perInstanceConcurrency !== undefined && { triggers: { http: { perInstanceConcurrency } } }),
    },
  };
}

/** What we ask for; what Azure adds to it is left out, and a field we leave out is Azure's own choice. */
function comparable(config: FunctionAppConfig | undefined, wanted: FunctionAppConfig | undefined): unknown {
  if (config === undefined) return undefined;
  const { deployment, runtime, scaleAndConcurrency: scale } = config;
  return {
    container: deployment?.storage?.value,
    runtime: [runtime?.name, runtime?.version],
    memoryMb: scale?.instanceMemoryMB,
    maximumInstanceCount: scale?.maximumInstanceCount,
    alwaysReady: (scale?.alwaysReady ?? []).map(({ name, instanceCount }) => [name, instanceCount]),
    ...(wanted?.scaleAndConcurrency?.triggers !== undefined && {
      perInstanceConcurrency: scale?.triggers?.http?.perInstanceConcurrency,
    }),
  };
}

function nameValues(settings: AppSettings): { name: string; value: string }[] {
  return Object.entries(settings).map(([name, value]) => ({ name, value }));
}

function sortedTags(tags: Tags = {}): [string, string][] {
  return sorted(tags);
}

function hasKey(map: object | undefined, key: string): boolean {
  return Object.keys(map ?? {}).some((name) => name.toLowerCase() === key.toLowerCase());
}

/** `00:03:50` */
function timeSpan(secs: number): string {
  const two = (value: number) => String(value).padStart(2, '0');
  return `${two(Math.floor(secs / 3600))}:${two(Math.floor(secs / 60) % 60)}:${two(secs % 60)}`;
}
