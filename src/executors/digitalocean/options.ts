/** The options of the executor, checked once: what is wrong is said by the constructor, with the option's name. */
import type { Dispatcher } from 'undici';
import type { FunctionConfig, ProviderLimits } from '../../core/executor.js';
import { checkJobId, type JobId } from '../../core/job.js';
import type { StepProgress } from '../shared/deploy-journal.js';
import { OptionsCheck } from '../shared/options-check.js';
import { DIGITALOCEAN_LIMITS } from './limits.js';

export const PROVIDER = 'digitalocean';
const check = new OptionsCheck('DigitalOceanExecutor', PROVIDER);

export interface DigitalOceanExecutorOptions {
  /** Of the account's API: finds or makes the namespace. Default: DIGITALOCEAN_TOKEN, then DIGITALOCEAN_ACCESS_TOKEN. */
  readonly token?: string;
  /** Where the namespace is, for example `fra1`. Needed with a token. */
  readonly region?: string;
  /** Its label in that region; made by the first deploy. Default `jobferry`. */
  readonly namespace?: string;
  /** The namespace's own API host, in place of a token: with `accessKey`. */
  readonly apiHost?: string;
  /** `uuid:key`, or the secret of an access key, `dof_v1_…:…`. */
  readonly accessKey?: string;
  /** The function a job is deployed as. Default `jobferry-job-{id}`. */
  readonly functionName?: (jobId: JobId) => string;
  /** What functions are created with, where `deployJob` does not say it in `config.digitalocean`. */
  readonly digitalocean?: DigitalOceanFunctionOptions;
  /** Called at each step of a deploy. Must not throw. */
  readonly onProgress?: (progress: DeployProgress) => void;
  /** `http(s)://host[:port]` instead of DigitalOcean's own API. Default `https://api.digitalocean.com`. */
  readonly endpoint?: string;
  /** The most sockets for calls. Default 128; the account runs 120 calls at once. */
  readonly connections?: number;
  /** Default 10 000. */
  readonly connectTimeoutMs?: number;
  /** How long a deploy may take in all. Default 120 000. */
  readonly deployTimeoutMs?: number;
  /** How often an activation that goes on is asked for. Default 500. */
  readonly pollMs?: number;
  readonly limits?: Partial<ProviderLimits>;
  /** Used for all requests instead of sockets of our own; not closed with the executor. */
  readonly dispatcher?: Dispatcher;
}

export interface DigitalOceanFunctionOptions {
  /** Default `nodejs:18`, which runs what `packageHandler` makes for the target digitalocean. */
  readonly kind?: string;
  /** Default `main`. */
  readonly main?: string;
}

/** A `FunctionConfig` with what only DigitalOcean knows. */
export interface DigitalOceanFunctionConfig extends FunctionConfig {
  readonly digitalocean?: DigitalOceanFunctionOptions;
}

export type DeployStep = 'namespace' | 'read' | 'write' | 'trigger' | 'done';
export type DeployProgress = StepProgress<DeployStep>;

/** The options with everything checked and every default filled in. */
export interface Settings {
  readonly token: string | undefined;
  readonly region: string | undefined;
  readonly namespace: string;
  readonly apiHost: string | undefined;
  readonly accessKey: string | undefined;
  readonly functionName: (jobId: JobId) => string;
  readonly digitalocean: DigitalOceanFunctionOptions;
  readonly onProgress: ((progress: DeployProgress) => void) | undefined;
  readonly endpoint: string;
  readonly connections: number;
  readonly connectTimeoutMs: number;
  readonly deployTimeoutMs: number;
  readonly pollMs: number;
  readonly limits: ProviderLimits;
  readonly dispatcher: Dispatcher | undefined;
}

const OPTION_NAMES: ReadonlySet<string> = new Set<keyof DigitalOceanExecutorOptions>([
  'token',
  'region',
  'namespace',
  'apiHost',
  'accessKey',
  'functionName',
  'digitalocean',
  'onProgress',
  'endpoint',
  'connections',
  'connectTimeoutMs',
  'deployTimeoutMs',
  'pollMs',
  'limits',
  'dispatcher',
]);

export const FUNCTION_OPTION_NAMES: ReadonlySet<string> = new Set<keyof DigitalOceanFunctionOptions>([
  'kind',
  'main',
]);

/** @throws {FaasError} CONFIG with the name of the option. No value is quoted that may be a secret. */
export function checkOptions(options: DigitalOceanExecutorOptions): Settings {
  check.known(options, OPTION_NAMES);
  const { digitalocean = {} } = options;
  for (const name of Object.keys(digitalocean)) {
    if (!FUNCTION_OPTION_NAMES.has(name))
      throw config(`has no option \`digitalocean.${name}\`. Known: ${[...FUNCTION_OPTION_NAMES].join(', ')}`);
  }
  const { apiHost, accessKey, region } = options;
  if ((apiHost === undefined) !== (accessKey === undefined))
    throw config('takes `apiHost` and `accessKey` together');
  const token =
    options.token ?? process.env['DIGITALOCEAN_TOKEN'] ?? process.env['DIGITALOCEAN_ACCESS_TOKEN'];
  if (apiHost === undefined && !token) {
    throw config('needs `token`, or DIGITALOCEAN_TOKEN in the environment, or `apiHost` with `accessKey`');
  }
  if (apiHost === undefined && !region)
    throw config('needs `region`, for example fra1: labels are looked for in one region');
  return {
    token: token || undefined,
    region,
    namespace: options.namespace ?? 'jobferry',
    apiHost: apiHost === undefined ? undefined : checkUrl(apiHost, 'apiHost'),
    accessKey,
    functionName: options.functionName ?? ((jobId) => `jobferry-job-${jobId}`),
    digitalocean,
    onProgress: options.onProgress,
    endpoint: checkUrl(options.endpoint ?? 'https://api.digitalocean.com', 'endpoint'),
    connections: check.whole(options.connections ?? 128, 'connections'),
    connectTimeoutMs: check.whole(options.connectTimeoutMs ?? 10_000, 'connectTimeoutMs'),
    deployTimeoutMs: check.whole(options.deployTimeoutMs ?? 120_000, 'deployTimeoutMs'),
    pollMs: check.whole(options.pollMs ?? 500, 'pollMs'),
    limits: { ...DIGITALOCEAN_LIMITS, ...options.limits },
    dispatcher: options.dispatcher,
  };
}

/** @throws {FaasError} CONFIG for a job id that is none, or a name DigitalOcean does not take. */
export function functionNameOf(settings: Settings, jobId: JobId): string {
  const name = settings.functionName(checkJobId(jobId));
  if (settings.limits.namePattern?.test(name) !== false) return name;
  throw config(
    `\`functionName(${jobId})\` gave a name DigitalOcean does not take: at most 256 of letters, digits, _ @ . & - and spaces`,
  );
}

export const config = check.error;

/** Of the account's API, and of the `api_host` it gives. */
export function checkUrl(text: string, option: string): string {
  return check.url(text, option).origin;
}
