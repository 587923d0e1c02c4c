/** A `FunctionConfig` -> what a gateway's `POST /system/functions` takes: every field honoured, or refused by name. */
import type { Artifact } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { ConfigCheck, sorted } from '../shared/config-check.js';
import { MAX_REPLICAS } from './limits.js';
import { marksOf } from './marks.js';
import { type E2eOpenFaasFunctionConfig, type OpenFaasFunctionOptions, PROVIDER } from './options.js';
import { functionNameOf, type Settings } from './settings.js';

export const DEFAULT_NAMESPACE = 'openfaas-fn';

/** The body of a deploy, but for the image, which may have to be built first. */
export interface FunctionDeployment {
  readonly service: string;
  readonly namespace: string;
  readonly envProcess?: string;
  readonly envVars: Readonly<Record<string, string>>;
  readonly constraints?: readonly string[];
  readonly secrets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly limits: Readonly<Record<string, string>>;
  readonly requests?: Readonly<Record<string, string>>;
  readonly readOnlyRootFilesystem?: boolean;
}

export interface OpenFaasSpec {
  readonly jobId: JobId;
  readonly functionName: string;
  readonly deployment: FunctionDeployment;
  readonly image: NonNullable<OpenFaasFunctionOptions['image']>;
  readonly digest: string;
  readonly minReplicas: number;
}

const FIELDS: ReadonlySet<string> = new Set<keyof E2eOpenFaasFunctionConfig>([
  'memoryMb',
  'timeoutSecs',
  'env',
  'maxConcurrency',
  'keepWarm',
  'secrets',
  'labels',
  'openfaas',
]);

/** What the watchdog, the templates and the entry read themselves. */
const TAKEN: ReadonlySet<string> = new Set([
  'fprocess',
  'mode',
  'upstream_url',
  'http_port',
  'exec_timeout',
  'read_timeout',
  'write_timeout',
  'max_inflight',
  'JOBFERRY_SECRETS',
]);

const SCALE_MIN = 'com.openfaas.scale.min';
const SCALE_MAX = 'com.openfaas.scale.max';
const SCALE_ZERO = 'com.openfaas.scale.zero';
const SECRET_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/** @throws {FaasError} UNSUPPORTED or CONFIG with the name of the field, before anything is made */
export function openFaasSpec(
  settings: Settings,
  jobId: JobId,
  artifact: Artifact,
  config: Partial<E2eOpenFaasFunctionConfig>,
): OpenFaasSpec {
  const functionName = functionNameOf(settings, jobId);
  const check = new ConfigCheck(PROVIDER, functionName);
  check.known(config, FIELDS, 'OpenFaaS');
  const own = { ...settings.openfaas, ...config.openfaas };
  const { memoryMb = 512, timeoutSecs = 300, env = {}, secrets = {}, labels = {} } = config;
  check.inRange('memoryMb', memoryMb, settings.limits.memoryMb ?? { min: 1, max: 1_048_576 });
  check.inRange('timeoutSecs', timeoutSecs, settings.limits.timeoutSecs ?? { min: 1, max: 86_400 });
  check.environment('env', env, (name) => TAKEN.has(name) || name in secrets);
  checkSecrets(check, settings, secrets, own.secretFiles ?? []);
  for (const [name, value] of Object.entries({ ...labels, ...own.annotations })) {
    if (typeof value !== 'string') check.refuse('CONFIG', `the label or annotation ${name} must be a string`);
    if (name === SCALE_MIN || name === SCALE_MAX || name === SCALE_ZERO)
      check.refuse(
        'CONFIG',
        `\`labels\` must not hold ${name}: use \`openfaas.minReplicas\` and \`maxReplicas\``,
      );
  }
  check.size(artifact, settings.limits.maxArtifactBytes);
  const image =
    own.image ??
    check.refuse('CONFIG', 'a gateway runs images: give `openfaas.image`, a reference or what builds one');
  if (typeof image === 'string' && !/^\S+$/.test(image))
    check.refuse('CONFIG', '`openfaas.image` must be the reference of an image');
  const scale = scaleOf(check, config, own);
  const seconds = `${timeoutSecs}s`;
  const body = {
    service: functionName,
    namespace: settings.namespace ?? DEFAULT_NAMESPACE,
    ...(own.envProcess !== undefined && { envProcess: own.envProcess }),
    envVars: {
      ...Object.fromEntries(sorted(env)),
      exec_timeout: seconds,
      read_timeout: seconds,
      write_timeout: seconds,
      ...(scale.inflight !== undefined && { max_inflight: String(scale.inflight) }),
      ...(Object.keys(secrets).length > 0 && {
        JOBFERRY_SECRETS: JSON.stringify(Object.fromEntries(sorted(secrets))),
      }),
    },
    ...(own.constraints !== undefined && { constraints: own.constraints }),
    secrets: [...new Set([...Object.values(secrets), ...(own.secretFiles ?? [])])].sort(),
    labels: { ...Object.fromEntries(sorted(labels)), ...scale.labels },
    limits: {
      memory: `${memoryMb}Mi`,
      ...(own.cpu !== undefined && { cpu: own.cpu }),
      ...(own.gpus !== undefined && { 'nvidia.com/gpu': String(own.gpus) }),
    },
    ...(own.requests !== undefined && { requests: requestsOf(own.requests) }),
    ...(own.readOnlyRootFilesystem !== undefined && { readOnlyRootFilesystem: own.readOnlyRootFilesystem }),
  };
  const annotations = Object.fromEntries(sorted(own.annotations ?? {}));
  // An image that is built from the artifact is known by the artifact: nothing is built to see that nothing changed.
  const source = typeof image === 'string' ? image : 'built';
  const marks = marksOf(jobId, artifact, [body, annotations, source]);
  return {
    jobId,
    functionName,
    image,
    deployment: { ...body, annotations: { ...annotations, ...marks } },
    digest: marks['jobferry-digest'] ?? '',
    minReplicas: scale.min ?? 1,
  };
}

/** `maxConcurrency` is shared out among the copies: each takes `max_inflight` calls at once. */
function scaleOf(
  check: ConfigCheck,
  { keepWarm, maxConcurrency }: Partial<E2eOpenFaasFunctionConfig>,
  own: OpenFaasFunctionOptions,
) {
  const min = own.minReplicas ?? (keepWarm || undefined);
  const max = own.maxReplicas ?? (maxConcurrency === undefined ? undefined : Math.max(min ?? 1, 1));
  if (min !== undefined) check.inRange('keepWarm or openfaas.minReplicas', min, { min: 0, max: 1000 });
  if (max !== undefined) check.inRange('openfaas.maxReplicas', max, { min: 1, max: 1000 });
  if ((min ?? 1) > (max ?? MAX_REPLICAS)) {
    const why = `\`keepWarm\` or \`openfaas.minReplicas\` is ${min}, more than ${max ?? MAX_REPLICAS} at most`;
    check.refuse('CONFIG', `${why}: raise \`openfaas.maxReplicas\``);
  }
  let inflight: number | undefined;
  if (maxConcurrency !== undefined && max !== undefined) {
    check.inRange('maxConcurrency', maxConcurrency, { min: 1, max: 1_000_000 });
    inflight = maxConcurrency / max;
    if (!Number.isInteger(inflight))
      check.refuse('CONFIG', `\`maxConcurrency\` is shared by ${max} copies: use a multiple of ${max}`);
  }
  const labels = {
    ...(min !== undefined && min > 0 && { [SCALE_MIN]: String(min) }),
    ...(min === 0 && { [SCALE_ZERO]: 'true' }),
    ...(max !== undefined && { [SCALE_MAX]: String(max) }),
  };
  return { min, inflight, labels };
}

function checkSecrets(
  check: ConfigCheck,
  { payload }: Settings,
  secrets: Readonly<Record<string, string>>,
  files: readonly string[],
): void {
  check.environment('secrets', secrets, (name) => TAKEN.has(name));
  if (payload === 'raw' && Object.keys(secrets).length > 0)
    check.refuse(
      'UNSUPPORTED',
      'secrets of OpenFaaS are files, and only the entry reads them into the environment. Use `openfaas.secretFiles`',
    );
  for (const name of [...Object.values(secrets), ...files]) {
    if (!SECRET_NAME.test(name))
      check.refuse('CONFIG', `${JSON.stringify(name)} is no name of a secret: use a-z, 0-9, - and .`);
  }
}

function requestsOf({ memoryMb, cpu }: NonNullable<OpenFaasFunctionOptions['requests']>) {
  return { ...(memoryMb !== undefined && { memory: `${memoryMb}Mi` }), ...(cpu !== undefined && { cpu }) };
}
