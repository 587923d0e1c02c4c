/**
 * What of a function differs from what is asked for. An update replaces whole parts, so what others have set in them is
 * carried over, and what a deploy of ours has set and nobody asks for any more is left out.
 */
import type { CloudFunction } from './control-plane.js';
import { artifactOf } from './function-spec.js';
import { memoryMbOf } from './memory.js';
import { BUILD_ACCOUNT, hashOf, OPTIONAL_FIELDS, rememberedIn } from './remembered.js';

/** The paths of an update mask. */
export type MaskPath = 'build_config' | 'service_config' | 'labels';
export const EVERYTHING: readonly MaskPath[] = ['build_config', 'service_config', 'labels'];

type ServiceConfig = NonNullable<CloudFunction['serviceConfig']>;
type BuildConfig = NonNullable<CloudFunction['buildConfig']>;

/** The whole function as it shall be: what is wanted, on top of what others have set. */
export function onto(current: CloudFunction, wanted: CloudFunction): CloudFunction {
  const { uri: _uri, service: _service, revision: _revision, ...service } = current.serviceConfig ?? {};
  const { build: _build, source: _source, sourceProvenance: _p, ...build } = current.buildConfig ?? {};
  const setByUs = rememberedIn(current.labels, 'fields');
  for (const field of OPTIONAL_FIELDS) if (setByUs.has(hashOf(field))) service[field] = null;
  // Google derives it from the memory, and says it as if it had been asked for.
  if (memoryMbOf(service.availableMemory) !== memoryMbOf(wanted.serviceConfig?.availableMemory))
    service.availableCpu = null;
  if (setByUs.has(hashOf(BUILD_ACCOUNT))) build.serviceAccount = null;
  const ownLabels = rememberedIn(current.labels, 'labels');
  const othersLabels = Object.entries(current.labels ?? {}).filter(
    ([key]) => !key.startsWith('jobferry-') && !ownLabels.has(hashOf(key)),
  );
  return {
    ...wanted,
    labels: { ...Object.fromEntries(othersLabels), ...wanted.labels },
    buildConfig: { ...build, ...wanted.buildConfig },
    serviceConfig: { ...service, ...wanted.serviceConfig },
  };
}

/** @returns the parts to replace; empty when there is nothing to do */
export function differences(target: CloudFunction, current: CloudFunction): MaskPath[] {
  const paths: MaskPath[] = [];
  if (buildDiffers(target, current)) paths.push('build_config');
  if (serviceDiffers(target.serviceConfig ?? {}, current.serviceConfig ?? {})) paths.push('service_config');
  if (!sameMap(target.labels ?? {}, current.labels ?? {})) paths.push('labels');
  return paths;
}

function buildDiffers(target: CloudFunction, current: CloudFunction): boolean {
  const [wanted, there]: BuildConfig[] = [target.buildConfig ?? {}, current.buildConfig ?? {}];
  return (
    artifactOf(target).sha256 !== artifactOf(current).sha256 ||
    (['runtime', 'entryPoint', 'serviceAccount'] as const).some(
      (field) => stated(wanted?.[field]) !== stated(there?.[field]),
    )
  );
}

function serviceDiffers(wanted: ServiceConfig, there: ServiceConfig): boolean {
  const plain = [...OPTIONAL_FIELDS, 'timeoutSeconds', 'ingressSettings', 'minInstanceCount'] as const;
  return (
    plain.some((field) => stated(wanted[field]) !== stated(there[field])) ||
    memoryMbOf(wanted.availableMemory) !== memoryMbOf(there.availableMemory) ||
    (wanted.maxInstanceRequestConcurrency || 1) !== (there.maxInstanceRequestConcurrency || 1) ||
    !sameVariables(wanted.environmentVariables ?? {}, there.environmentVariables ?? {}) ||
    secretsOf(wanted) !== secretsOf(there)
  );
}

/** Google's client fills in what a reply leaves out: with nothing, 0, or an enum's own word for it. */
function stated(value: unknown): unknown {
  return !value || (typeof value === 'string' && value.endsWith('_UNSPECIFIED')) ? undefined : value;
}

type Map = Readonly<Record<string, string>>;

function sameMap(one: Map, other: Map): boolean {
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key]);
}

/** The service itself adds LOG_EXECUTION_ID to functions (seen in answers of `functions describe`, not documented). */
function sameVariables(wanted: Map, there: Map): boolean {
  const { LOG_EXECUTION_ID: added, ...own } = there;
  return sameMap(wanted, added === undefined || 'LOG_EXECUTION_ID' in wanted ? there : own);
}

function secretsOf({ secretEnvironmentVariables }: ServiceConfig): string {
  const lines = (secretEnvironmentVariables ?? []).map(
    ({ key, projectId, secret, version }) => `${key}=${projectId}/${secret}/${version}`,
  );
  return lines.sort().join('\n');
}
