/** What of a function differs from what is asked for. Fields nobody asked for are Google's, or someone else's. */
import type { CloudFunction } from './control-plane.js';
import { artifactOf } from './function-spec.js';
import { memoryMbOf } from './memory.js';

/** The paths of an update mask. */
export type MaskPath = 'build_config' | 'service_config' | 'labels';

/** @returns the parts to replace; empty when there is nothing to do */
export function differences(wanted: CloudFunction, current: CloudFunction): MaskPath[] {
  const paths: MaskPath[] = [];
  if (buildDiffers(wanted, current)) paths.push('build_config');
  if (serviceDiffers(wanted, current)) paths.push('service_config');
  if (!sameMap(ownLabels(wanted), ownLabels(current))) paths.push('labels');
  return paths;
}

function buildDiffers(wantedFunction: CloudFunction, current: CloudFunction): boolean {
  const { buildConfig: wanted } = wantedFunction;
  const { runtime, entryPoint, serviceAccount } = current.buildConfig ?? {};
  return (
    artifactOf(wantedFunction).sha256 !== artifactOf(current).sha256 ||
    wanted?.runtime !== runtime ||
    wanted?.entryPoint !== entryPoint ||
    (wanted?.serviceAccount !== undefined && wanted.serviceAccount !== serviceAccount)
  );
}

function serviceDiffers({ serviceConfig }: CloudFunction, current: CloudFunction): boolean {
  const [wanted, there] = [serviceConfig ?? {}, current.serviceConfig ?? {}];
  const plain = (
    [
      'availableCpu',
      'timeoutSeconds',
      'maxInstanceCount',
      'ingressSettings',
      'serviceAccountEmail',
      'vpcConnector',
      'vpcConnectorEgressSettings',
    ] as const
  ).some((field) => wanted[field] !== undefined && wanted[field] !== there[field]);
  return (
    plain ||
    memoryMbOf(wanted.availableMemory) !== memoryMbOf(there.availableMemory) ||
    // Their defaults are left out of replies.
    (wanted.minInstanceCount ?? 0) !== (there.minInstanceCount ?? 0) ||
    (wanted.maxInstanceRequestConcurrency ?? 1) !== (there.maxInstanceRequestConcurrency || 1) ||
    !sameMap(wanted.environmentVariables ?? {}, withoutGoogles(there.environmentVariables ?? {})) ||
    secretsOf(wanted) !== secretsOf(there)
  );
}

type Map = Readonly<Record<string, string>>;

function sameMap(one: Map, other: Map): boolean {
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key]);
}

/** Google's tools add labels of their own. */
function ownLabels({ labels }: CloudFunction): Map {
  return Object.fromEntries(Object.entries(labels ?? {}).filter(([key]) => !/^(goog|deployment-)/.test(key)));
}

/** The service itself adds LOG_EXECUTION_ID to functions (seen in answers of `functions describe`, not documented). */
function withoutGoogles(variables: Map): Map {
  const { LOG_EXECUTION_ID: _, ...own } = variables;
  return own;
}

function secretsOf({ secretEnvironmentVariables }: NonNullable<CloudFunction['serviceConfig']>): string {
  const lines = (secretEnvironmentVariables ?? []).map(
    ({ key, projectId, secret, version }) => `${key}=${projectId}/${secret}/${version}`,
  );
  return lines.sort().join('\n');
}
