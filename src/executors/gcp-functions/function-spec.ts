/** What a deploy asks Google for, checked before anything is created: honoured, or refused by name. */
import type { Artifact } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { ConfigCheck, sorted } from '../shared/config-check.js';
import { indexZip } from '../shared/zip-index.js';
import type { CloudFunction } from './control-plane.js';
import { EVERYONE, type WantedInvokers } from './invokers.js';
import { CONCURRENCY, INSTANCES } from './limits.js';
import {
  functionNameOf,
  GCP_OPTION_NAMES,
  type GcpFunctionConfig,
  type GcpFunctionOptions,
  PROVIDER,
  type Settings,
} from './options.js';
import { hashOf, labelsFor, memoryOf } from './remembered.js';

/** Labels by which a function of ours is known. */
export const JOB_ID = 'jobferry-job-id';
/** The digest of the package in two halves, since a label takes 63 characters, and its size. */
const [SHA256_1, SHA256_2, BYTES] = ['jobferry-sha256-1', 'jobferry-sha256-2', 'jobferry-bytes'];
/** The package knows warm pings. */
export const ENTRY = 'jobferry-entry';
/** Stands in a package that `packageHandler` made for this target. */
export const ENTRY_MARK = 'jobferry-gcp.json';

export interface FunctionSpec {
  readonly jobId: JobId;
  readonly functionName: string;
  readonly artifact: Artifact;
  /** Without the source, which is known when it is uploaded. */
  readonly wanted: CloudFunction;
  readonly invokers: WantedInvokers;
}

const FIELDS: ReadonlySet<string> = new Set<keyof GcpFunctionConfig>([
  'memoryMb',
  'timeoutSecs',
  'env',
  'maxConcurrency',
  'keepWarm',
  'secrets',
  'labels',
  'gcp',
]);

const INGRESS = {
  all: 'ALLOW_ALL',
  internal: 'ALLOW_INTERNAL_ONLY',
  'internal-and-gclb': 'ALLOW_INTERNAL_AND_GCLB',
} as const;
const EGRESS = { 'private-ranges': 'PRIVATE_RANGES_ONLY', all: 'ALL_TRAFFIC' } as const;

/** Of Cloud Run and of the functions framework, by their documentation. */
const RESERVED = /^(PORT|K_SERVICE|K_REVISION|K_CONFIGURATION|FUNCTION_\w+|GOOGLE_\w*|X_GOOGLE_\w*)$/;
/** Of a resource, by Google's documentation of labels. */
const MAX_LABELS = 64;
const LABEL = /^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u;

/** @throws {FaasError} UNSUPPORTED, CONFIG or PAYLOAD_TOO_LARGE, with the name of the field. */
export function functionSpec(
  settings: Settings,
  jobId: JobId,
  artifact: Artifact,
  partial: Partial<GcpFunctionConfig>,
): FunctionSpec {
  const functionName = functionNameOf(settings, jobId);
  const check = new ConfigCheck(PROVIDER, functionName);
  check.known(partial, FIELDS, 'Cloud Functions');
  check.known(partial.gcp ?? {}, GCP_OPTION_NAMES, 'the option `gcp`');
  const { memoryMb = 512, timeoutSecs = 300, env = {}, secrets = {}, labels = {} } = partial;
  const { limits } = settings;
  check.inRange('memoryMb', memoryMb, limits.memoryMb);
  check.inRange('timeoutSecs', timeoutSecs, limits.timeoutSecs);
  check.size(artifact, limits.maxArtifactBytes);
  check.environment('env', env, (name) => RESERVED.test(name));
  check.environment('secrets', secrets, (name) => RESERVED.test(name) || name in env);
  const gcp = { ...settings.gcp, ...partial.gcp };
  const { ingress = 'all', vpcEgress } = gcp;
  check.oneOf('gcp.ingress', ingress, Object.keys(INGRESS));
  if (vpcEgress !== undefined) check.oneOf('gcp.vpcEgress', vpcEgress, Object.keys(EGRESS));
  const names = indexZip(artifact.bytes).names;
  const invokers = invokersOf(check, gcp);
  const wanted: CloudFunction = {
    environment: 'GEN_2',
    buildConfig: {
      runtime: gcp.runtime ?? 'nodejs22',
      entryPoint: gcp.entryPoint ?? 'main',
      ...(gcp.buildServiceAccount !== undefined && { serviceAccount: gcp.buildServiceAccount }),
    },
    serviceConfig: {
      availableMemory: `${memoryMb}Mi`,
      timeoutSeconds: timeoutSecs,
      ...(gcp.cpu !== undefined && { availableCpu: gcp.cpu }),
      ...instancesOf(check, partial, gcp),
      environmentVariables: Object.fromEntries(sorted(env)),
      secretEnvironmentVariables: sorted(secrets).map(([key, reference]) =>
        secretOf(check, settings.project, key, reference),
      ),
      ingressSettings: INGRESS[ingress],
      ...(gcp.serviceAccount !== undefined && { serviceAccountEmail: gcp.serviceAccount }),
      ...(gcp.vpcConnector !== undefined && { vpcConnector: gcp.vpcConnector }),
      ...(vpcEgress !== undefined && { vpcConnectorEgressSettings: EGRESS[vpcEgress] }),
    },
  };
  const allLabels = {
    ...labelsOf(check, labels),
    [JOB_ID]: String(jobId),
    ...artifactLabels(artifact),
    ...(names.has(ENTRY_MARK) && { [ENTRY]: '1' }),
    ...memoryOf(wanted, labels),
  };
  const count =
    Object.keys(allLabels).length + Object.keys(labelsFor('invokers', invokers.members.map(hashOf))).length;
  if (count > MAX_LABELS)
    check.refuse(
      'CONFIG',
      `\`labels\` and \`gcp.invokers\` need ${count} labels with those of jobferry, and Google takes ${MAX_LABELS}`,
    );
  return { jobId, functionName, artifact, invokers, wanted: { ...wanted, labels: allLabels } };
}

/** `maxConcurrency` is calls, Google counts instances: one is the other times what an instance works on at once. */
function instancesOf(
  check: ConfigCheck,
  { maxConcurrency, keepWarm = 0 }: Partial<GcpFunctionConfig>,
  { concurrency = 1 }: GcpFunctionOptions,
): Pick<
  NonNullable<CloudFunction['serviceConfig']>,
  'minInstanceCount' | 'maxInstanceCount' | 'maxInstanceRequestConcurrency'
> {
  check.inRange('gcp.concurrency', concurrency, CONCURRENCY);
  check.inRange('keepWarm', keepWarm, INSTANCES);
  const counts = { minInstanceCount: keepWarm, maxInstanceRequestConcurrency: concurrency };
  if (maxConcurrency === undefined) return counts;
  const instances = maxConcurrency / concurrency;
  if (!Number.isInteger(instances) || instances < Math.max(1, keepWarm) || instances > INSTANCES.max) {
    check.refuse(
      'CONFIG',
      `\`maxConcurrency\` is ${maxConcurrency}: it must be a multiple of \`gcp.concurrency\` (${concurrency}), for ${Math.max(1, keepWarm)} to ${INSTANCES.max} instances`,
    );
  }
  return { ...counts, maxInstanceCount: instances };
}

/** `name`, `name:version`, `projects/P/secrets/S` or `projects/P/secrets/S/versions/V`; the newest when none is named. */
function secretOf(check: ConfigCheck, ownProject: string, key: string, reference: string) {
  const full = /^projects\/([^/]+)\/secrets\/([\w-]+)(?:\/versions\/(\w+))?$/.exec(reference);
  const short = /^([\w-]+)(?::(\w+))?$/.exec(reference);
  const [projectId, secret, version] = full
    ? [full[1], full[2], full[3]]
    : [ownProject, short?.[1], short?.[2]];
  if (projectId === undefined || secret === undefined) {
    check.refuse(
      'CONFIG',
      `\`secrets.${key}\` is no secret of Secret Manager: name, name:version or projects/P/secrets/S/versions/V`,
    );
  }
  return { key, projectId, secret, version: version ?? 'latest' };
}

function labelsOf(check: ConfigCheck, labels: Readonly<Record<string, string>>): Record<string, string> {
  for (const [key, value] of sorted(labels)) {
    if (/^(goog|jobferry-|deployment-)/.test(key) || !/^\p{Ll}/u.test(key) || !LABEL.test(key)) {
      check.refuse('CONFIG', `\`labels.${key.slice(0, 80)}\` is taken, or no label that Google takes`);
    }
    if (typeof value !== 'string' || !LABEL.test(value))
      check.refuse('CONFIG', `\`labels.${key}\` must have at most 63 of a-z, 0-9, _ and -`);
  }
  return Object.fromEntries(sorted(labels));
}

function invokersOf(
  check: ConfigCheck,
  { invokers = [], allowUnauthenticated }: GcpFunctionOptions,
): WantedInvokers {
  const isPrivate = allowUnauthenticated === false;
  const everyone = invokers.find((member) => EVERYONE.includes(member));
  if (isPrivate && everyone !== undefined)
    check.refuse('CONFIG', `\`gcp.invokers\` has ${everyone}, and \`gcp.allowUnauthenticated\` is false`);
  const members = allowUnauthenticated === true ? [...invokers, 'allUsers'] : invokers;
  return { members: [...new Set(members)], isPrivate };
}

function artifactLabels({ sha256, bytes }: Artifact): Record<string, string> {
  return { [SHA256_1]: sha256.slice(0, 32), [SHA256_2]: sha256.slice(32), [BYTES]: String(bytes.length) };
}

/** The digest and size of the package that labels tell of. */
export function artifactOf({ labels }: CloudFunction): Partial<{ sha256: string; artifactBytes: number }> {
  const sha256 = `${labels?.[SHA256_1] ?? ''}${labels?.[SHA256_2] ?? ''}`;
  const bytes = labels?.[BYTES] ?? '';
  return {
    ...(/^[0-9a-f]{64}$/.test(sha256) && { sha256 }),
    ...(/^\d+$/.test(bytes) && { artifactBytes: Number(bytes) }),
  };
}
