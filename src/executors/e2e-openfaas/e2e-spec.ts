/** A `FunctionConfig` -> what both of E2E's APIs are asked for: every field honoured, or refused by name. */
import type { Artifact } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { ConfigCheck, sorted } from '../shared/config-check.js';
import { indexZip } from '../shared/zip-index.js';
import { MAX_REPLICAS } from './limits.js';
import { marksOf } from './marks.js';
import { type E2eFunctionOptions, type E2eOpenFaasFunctionConfig, PROVIDER } from './options.js';
import { accountRuntimeId, type Hardware, RUNTIMES, type Runtime, runtimeNamed } from './runtimes.js';
import { functionNameOf, type Settings } from './settings.js';

export interface E2eSpec {
  readonly jobId: JobId;
  readonly functionName: string;
  readonly runtime: Runtime;
  readonly template: string;
  readonly handler: string;
  readonly requirements: string | undefined;
  readonly image: string | undefined;
  readonly artifact: Artifact;
  readonly memoryMb: number;
  readonly timeoutSecs: number;
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly hardware: Hardware;
  readonly environment: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly marks: Readonly<Record<string, string>>;
  readonly digest: string;
}

const FIELDS: Readonly<Record<'e2e' | 'e2e-platform', ReadonlySet<string>>> = {
  // Its client has no secrets and no labels.
  e2e: new Set(['memoryMb', 'timeoutSecs', 'env', 'keepWarm', 'e2e']),
  'e2e-platform': new Set(['memoryMb', 'timeoutSecs', 'env', 'keepWarm', 'secrets', 'labels', 'e2e']),
};

const TAKEN = /^(RAW_BODY|MAX_RAW_SIZE|JOBFERRY_(SECRETS|JOB_ID|DIGEST|CODE_SHA256|CODE_BYTES))$/;
const SECRET_NAME = /^[a-zA-Z0-9]([-a-zA-Z0-9]{0,251}[a-zA-Z0-9])?$/;

/** What stands beside a handler and is not needed to run it. */
const BESIDE: ReadonlySet<string> = new Set(['package.json']);

/** Without it the Node.js template parses bodies, and takes 100 kB of them. */
const RAW_BODIES = { MAX_RAW_SIZE: '32mb', RAW_BODY: 'true' };

/** @throws {FaasError} UNSUPPORTED, CONFIG or PAYLOAD_TOO_LARGE with the name of the field, before anything is made */
export function e2eSpec(
  settings: Settings,
  jobId: JobId,
  artifact: Artifact,
  config: Partial<E2eOpenFaasFunctionConfig>,
): E2eSpec {
  const profile = settings.profile === 'e2e' ? 'e2e' : 'e2e-platform';
  const functionName = functionNameOf(settings, jobId);
  const check = new ConfigCheck(PROVIDER, functionName);
  check.known(config, FIELDS[profile], 'E2E');
  const own = { ...settings.e2e, ...config.e2e };
  const { memoryMb = 512, timeoutSecs = 300, env = {}, secrets = {}, labels = {}, keepWarm } = config;
  check.inRange('memoryMb', memoryMb, settings.limits.memoryMb);
  check.inRange('timeoutSecs', timeoutSecs, settings.limits.timeoutSecs);
  check.environment('env', env, (name) => TAKEN.test(name) || name in secrets);
  checkSecrets(check, settings, secrets);
  for (const [name, value] of Object.entries({ ...labels, ...own.annotations })) {
    if (typeof value !== 'string') check.refuse('CONFIG', `the label or annotation ${name} must be a string`);
  }
  if (profile === 'e2e') checkAccountOptions(check, own);
  check.size(artifact, settings.limits.maxArtifactBytes);
  const source = sourceOf(check, profile, artifact, own);
  const { runtime, template } = source;
  const isNode = runtime.handlerFile === 'handler.js';
  const scale = scaleOf(check, keepWarm, own);
  const environment = {
    ...Object.fromEntries(sorted(env)),
    ...(isNode && settings.payload === 'entry' && RAW_BODIES),
    ...(Object.keys(secrets).length > 0 && {
      JOBFERRY_SECRETS: JSON.stringify(Object.fromEntries(sorted(secrets))),
    }),
  };
  const described = {
    functionName,
    runtime: runtime.name,
    template,
    handler: own.handler ?? 'handle',
    requirements: own.requirements,
    image: own.image,
    memoryMb,
    timeoutSecs,
    ...scale,
    environment,
    secrets: [...new Set(Object.values(secrets))].sort(),
    labels: Object.fromEntries(sorted(labels)),
    annotations: Object.fromEntries(sorted(own.annotations ?? {})),
  };
  const marks = marksOf(jobId, artifact, described);
  const digest = marks['jobferry-digest'] ?? '';
  return {
    ...described,
    requirements: own.requirements,
    image: own.image,
    jobId,
    runtime,
    artifact,
    marks,
    digest,
  };
}

function sourceOf(
  check: ConfigCheck,
  profile: 'e2e' | 'e2e-platform',
  artifact: Artifact,
  { runtime: wanted, template: asked, image }: E2eFunctionOptions,
) {
  const { names } = indexZip(artifact.bytes);
  const found = RUNTIMES.find(({ handlerFile }) => handlerFile !== undefined && names.has(handlerFile));
  const name = wanted ?? (names.has('handler.js') ? 'node20' : found?.name) ?? '';
  const runtime =
    runtimeNamed(name) ??
    check.refuse(
      'CONFIG',
      name === ''
        ? 'the artifact holds neither handler.js nor handler.py. Package it for the target e2e, or give `e2e.runtime`'
        : `\`e2e.runtime\` is ${JSON.stringify(name)}: use one of ${RUNTIMES.map((one) => one.name).join(', ')}`,
    );
  const template = asked ?? runtime.templates[0] ?? 'http';
  check.oneOf(`e2e.template of ${runtime.name}`, template, runtime.templates);
  const isCustom = runtime.name === 'custom';
  if (isCustom !== (image !== undefined))
    check.refuse('CONFIG', '`e2e.image` and the runtime `custom` go together');
  const { handlerFile } = runtime;
  if (handlerFile !== undefined && !names.has(handlerFile))
    check.refuse(
      'CONFIG',
      `the artifact has no ${handlerFile}, which ${runtime.name} runs. Package it for the target e2e`,
    );
  if (profile === 'e2e') {
    if (handlerFile === undefined || accountRuntimeId(runtime, template) === undefined)
      check.refuse('UNSUPPORTED', `E2E's account API takes code as one text, which ${runtime.name} is not`);
    const others = [...names].filter((one) => one !== handlerFile && !BESIDE.has(one));
    if (others.length > 0)
      check.refuse(
        'UNSUPPORTED',
        `E2E's account API takes one file, and the artifact has ${others.slice(0, 3).join(', ')} too`,
      );
  }
  return { runtime, template };
}

/** Fields that its client does not have. */
function checkAccountOptions(check: ConfigCheck, own: E2eFunctionOptions): void {
  for (const field of ['handler', 'requirements', 'image', 'hardware', 'annotations'] as const) {
    if (own[field] === undefined || own[field] === 'cpu') continue;
    check.refuse('UNSUPPORTED', `E2E's account API has no \`e2e.${field}\`. Leave it out`);
  }
}

function scaleOf(check: ConfigCheck, keepWarm: number | undefined, own: E2eFunctionOptions) {
  const hardware = own.hardware ?? 'cpu';
  check.oneOf('e2e.hardware', hardware, ['cpu', 'gpu']);
  const most = hardware === 'gpu' ? 1 : MAX_REPLICAS;
  const minReplicas = own.minReplicas ?? (keepWarm || 1);
  const maxReplicas = own.maxReplicas ?? Math.max(most, minReplicas);
  check.inRange('keepWarm or e2e.minReplicas', minReplicas, { min: 0, max: hardware === 'gpu' ? 1 : 100 });
  check.inRange('e2e.maxReplicas', maxReplicas, { min: 1, max: hardware === 'gpu' ? 1 : 100 });
  if (minReplicas > maxReplicas)
    check.refuse(
      'CONFIG',
      `\`e2e.minReplicas\` or \`keepWarm\` is more than \`e2e.maxReplicas\`, ${maxReplicas}`,
    );
  return { hardware, minReplicas, maxReplicas };
}

function checkSecrets(
  check: ConfigCheck,
  { payload }: Settings,
  secrets: Readonly<Record<string, string>>,
): void {
  check.environment('secrets', secrets, (name) => TAKEN.test(name));
  for (const [variable, name] of Object.entries(secrets)) {
    if (!SECRET_NAME.test(name))
      check.refuse('CONFIG', `\`secrets.${variable}\` names no secret: use letters, digits and -`);
    const own = name.toUpperCase().replaceAll('-', '_');
    if (payload === 'raw' && own !== variable)
      check.refuse('UNSUPPORTED', `without our entry the secret ${name} arrives as ${own} and nothing else`);
  }
}
