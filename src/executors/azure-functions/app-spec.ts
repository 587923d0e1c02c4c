/** What a deploy asks Azure for, checked before anything is created: honoured, or refused by name. */
import { FaasError } from '../../core/errors.js';
import type { Artifact } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { ConfigCheck } from '../shared/config-check.js';
import { indexZip } from '../shared/zip-index.js';
import { FLEX_MEMORY_MB } from './limits.js';
import {
  type AzureFunctionConfig,
  type AzureFunctionOptions,
  type AzurePlan,
  appNameOf,
  PROVIDER,
  type Settings,
} from './options.js';

/** The function in every app: the folder with its `function.json`, and the last step of its URL. */
export const FUNCTION = 'job';

export interface AppSpec {
  readonly jobId: JobId;
  readonly appName: string;
  readonly artifact: Artifact;
  /** It answers pings; nothing else is ever pinged. */
  readonly hasEntry: boolean;
  readonly plan: AzurePlan;
  readonly planName: string;
  /** The blob container for the app's packages. */
  readonly container: string;
  readonly runtime: { readonly name: string; readonly version: string };
  readonly memoryMb: number;
  readonly alwaysReady: number;
  readonly maximumInstanceCount: number | undefined;
  readonly perInstanceConcurrency: number | undefined;
  readonly identity: string | undefined;
  /** Environment variables, of `env` and of `secrets`. */
  readonly variables: Readonly<Record<string, string>>;
  readonly hasSecrets: boolean;
  readonly timeoutSecs: number;
  /** Of settings: the connection string, where there is one. */
  readonly applicationInsights: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

const FIELDS: ReadonlySet<string> = new Set<keyof AzureFunctionConfig>([
  'memoryMb',
  'timeoutSecs',
  'env',
  'maxConcurrency',
  'keepWarm',
  'secrets',
  'labels',
  'azure',
]);
const AZURE_FIELDS: ReadonlySet<string> = new Set<keyof AzureFunctionOptions>([
  'plan',
  'runtime',
  'perInstanceConcurrency',
  'identity',
]);

const TAKEN =
  /^(AzureWebJobs|AzureFunctionsJobHost|FUNCTIONS_|WEBSITE_|SCM_|APPLICATIONINSIGHTS_|DEPLOYMENT_STORAGE|JOBFERRY_SETTINGS$)/i;
const SECRET_URI = /^https:\/\/[\w.-]+\/secrets\/[\w-]+(?:\/\w*)?$/;
const PREMIUM_MEMORY_MB = { EP1: 3584, EP2: 7168, EP3: 14_336 } as const;
const MAX_TAGS = 40;
const MAX_TAG_CHARACTERS = 256;

/** @throws {FaasError} UNSUPPORTED, CONFIG or PAYLOAD_TOO_LARGE, with the name of the field. */
export function appSpec(
  settings: Settings,
  jobId: JobId,
  artifact: Artifact,
  hasEntry: boolean,
  config: Partial<AzureFunctionConfig>,
): AppSpec {
  const appName = appNameOf(settings, jobId);
  const check = new ConfigCheck(PROVIDER, appName);
  const { limits } = settings;
  const azure = { ...settings.azure, ...config.azure };
  check.known(config, FIELDS, 'Azure');
  check.known(azure, AZURE_FIELDS, 'Azure');
  const plan = planOf(azure, check);
  const { timeoutSecs = Math.min(300, limits.timeoutSecs?.max ?? 300), keepWarm = 0 } = config;
  const { env = {}, secrets = {}, labels = {} } = config;
  checkTimeout(timeoutSecs, settings, check);
  check.inRange('keepWarm', keepWarm, { min: 0, max: 1000 });
  if (plan.kind === 'consumption' && keepWarm > 0)
    check.refuse(
      'UNSUPPORTED',
      'the plan `consumption` keeps no instances: `keepWarm` needs flex or premium',
    );
  check.environment('env', env, (name) => TAKEN.test(name));
  check.environment('secrets', secrets, (name) => TAKEN.test(name) || name in env);
  for (const [name, uri] of Object.entries(secrets)) {
    if (!SECRET_URI.test(uri))
      check.refuse(
        'CONFIG',
        `\`secrets.${name}\` must be a URI like https://VAULT.vault.azure.net/secrets/NAME`,
      );
  }
  checkLabels(labels, check);
  check.size(artifact, limits.maxArtifactBytes);
  checkPackage(artifact, check);
  return {
    jobId,
    appName,
    artifact,
    hasEntry,
    plan,
    planName: planNameOf(appName, plan),
    container: `job-${jobId}`,
    runtime: azure.runtime ?? { name: 'node', version: '22' },
    memoryMb: memoryOf(config.memoryMb, plan, check),
    alwaysReady: keepWarm,
    ...concurrencyOf(config.maxConcurrency, azure, plan, settings, check),
    identity: azure.identity,
    variables: {
      ...env,
      ...mapped(secrets, (uri) => `@Microsoft.KeyVault(SecretUri=${uri})`),
    },
    hasSecrets: Object.keys(secrets).length > 0,
    timeoutSecs,
    applicationInsights:
      settings.applicationInsights === undefined
        ? {}
        : { APPLICATIONINSIGHTS_CONNECTION_STRING: settings.applicationInsights },
    labels,
  };
}

function planNameOf(appName: string, plan: AzurePlan): string {
  return plan.kind === 'premium' ? `jobferry-${plan.sku.toLowerCase()}` : `${appName}-plan`;
}

/** All that a plan of the app may be called. */
export function planNamesOf(appName: string): string[] {
  const premium = (['EP1', 'EP2', 'EP3'] as const).map((sku) => ({ kind: 'premium' as const, sku }));
  return [{ kind: 'flex' as const }, ...premium].map((plan) => planNameOf(appName, plan));
}

function planOf({ plan = { kind: 'flex' } }: AzureFunctionOptions, check: ConfigCheck): AzurePlan {
  check.oneOf('azure.plan.kind', plan.kind, ['flex', 'consumption', 'premium']);
  if (plan.kind === 'premium') check.oneOf('azure.plan.sku', plan.sku, Object.keys(PREMIUM_MEMORY_MB));
  return plan;
}

/** A function that runs longer works on, and its caller is never told: that is no synchronous call any more. */
function checkTimeout(timeoutSecs: number, { limits }: Settings, check: ConfigCheck): void {
  const { max = Infinity } = limits.timeoutSecs ?? {};
  if (Number.isInteger(timeoutSecs) && timeoutSecs > max) {
    check.refuse(
      'CONFIG',
      `\`timeoutSecs\` is ${timeoutSecs}, and Azure waits at most ${max} s for the reply of a function. Use ${max} or less, or split the job`,
    );
  }
  check.inRange('timeoutSecs', timeoutSecs, limits.timeoutSecs);
}

function memoryOf(memoryMb: number | undefined, plan: AzurePlan, check: ConfigCheck): number {
  switch (plan.kind) {
    case 'flex':
      check.oneOf('memoryMb', memoryMb ?? 512, FLEX_MEMORY_MB);
      return memoryMb ?? 512;
    case 'consumption':
      check.oneOf('memoryMb', memoryMb ?? 1536, [1536]);
      return 1536;
    case 'premium': {
      const ofSize = PREMIUM_MEMORY_MB[plan.sku];
      check.oneOf('memoryMb', memoryMb ?? ofSize, [ofSize]);
      return ofSize;
    }
  }
}

/** Instances times calls on each is what runs at once: the promise is kept with one call on each. */
function concurrencyOf(
  maxConcurrency: number | undefined,
  { perInstanceConcurrency }: AzureFunctionOptions,
  plan: AzurePlan,
  { limits }: Settings,
  check: ConfigCheck,
): Pick<AppSpec, 'maximumInstanceCount' | 'perInstanceConcurrency'> {
  if (plan.kind !== 'flex') {
    const field = maxConcurrency === undefined ? perInstanceConcurrency : maxConcurrency;
    if (field !== undefined)
      check.refuse(
        'UNSUPPORTED',
        `the plan \`${plan.kind}\` takes no \`maxConcurrency\` and no \`perInstanceConcurrency\``,
      );
    return { maximumInstanceCount: undefined, perInstanceConcurrency: undefined };
  }
  if (perInstanceConcurrency !== undefined)
    check.inRange('azure.perInstanceConcurrency', perInstanceConcurrency, { min: 1, max: 1000 });
  if (maxConcurrency === undefined) return { maximumInstanceCount: undefined, perInstanceConcurrency };
  check.inRange('maxConcurrency', maxConcurrency, limits.maxConcurrency);
  if (perInstanceConcurrency !== undefined && perInstanceConcurrency !== 1)
    check.refuse(
      'CONFIG',
      '`maxConcurrency` counts instances of one call: leave out `azure.perInstanceConcurrency`',
    );
  return { maximumInstanceCount: maxConcurrency, perInstanceConcurrency: 1 };
}

function checkLabels(labels: Readonly<Record<string, string>>, check: ConfigCheck): void {
  if (Object.keys(labels).length > MAX_TAGS)
    check.refuse('CONFIG', `\`labels\` has ${Object.keys(labels).length} entries, ${MAX_TAGS} become tags`);
  // Their names stand in one tag, with commas in between, so that a later deploy knows which are ours to remove.
  const names = Object.keys(labels).join(',');
  if (names.length > MAX_TAG_CHARACTERS)
    check.refuse(
      'CONFIG',
      `\`labels\` has names of ${names.length} characters in all, and a tag that remembers them takes ${MAX_TAG_CHARACTERS}`,
    );
  for (const [name, value] of Object.entries(labels)) {
    if (!/^[^<>%&\\?/,]{1,512}$/.test(name) || /^(created-by$|jobferry-|hidden-)/i.test(name))
      check.refuse(
        'CONFIG',
        `\`labels\` has a name that is taken or none: ${JSON.stringify(name.slice(0, 80))}`,
      );
    if (typeof value !== 'string' || value.length > MAX_TAG_CHARACTERS)
      check.refuse(
        'CONFIG',
        `\`labels.${name}\` must be a string of at most ${MAX_TAG_CHARACTERS} characters`,
      );
  }
}

/** The host starts nothing without these two, and says so to nobody. */
function checkPackage(artifact: Artifact, check: ConfigCheck): void {
  let names: ReadonlySet<string>;
  try {
    names = indexZip(artifact.bytes).names;
  } catch (failure) {
    throw FaasError.is(failure) ? failure.with({ provider: PROVIDER }) : failure;
  }
  const missing = ['host.json', `${FUNCTION}/function.json`].filter((name) => !names.has(name));
  if (missing.length === 0) return;
  check.refuse(
    'CONFIG',
    `the package has no ${missing.join(' and no ')}. Make it with jobferry/packaging and the target azure-functions`,
  );
}

function mapped(map: Readonly<Record<string, string>>, change: (value: string) => string) {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, change(value)]));
}
