/** The options of the executor, checked once: what is wrong is said by the constructor, with the option's name. */
import { createHash } from 'node:crypto';
import type { Dispatcher } from 'undici';
import type { FunctionConfig, ProviderLimits } from '../../core/executor.js';
import { checkJobId, type JobId } from '../../core/job.js';
import type { StepProgress } from '../shared/deploy-journal.js';
import { OptionsCheck } from '../shared/options-check.js';
import type { TlsOptions } from '../shared/origin-pool.js';
import { AZURE_LIMITS } from './limits.js';

export const PROVIDER = 'azure-functions';
const check = new OptionsCheck('AzureFunctionExecutor', PROVIDER);
/** A CONFIG error of the executor. */
export const config = check.error;

/** What every credential of `@azure/identity` is; anything else with this method will do. */
export interface TokenCredential {
  getToken(
    scopes: string | string[],
    options?: object,
  ): Promise<{ readonly token: string; readonly expiresOnTimestamp: number } | null>;
}

export interface AzureFunctionExecutorOptions {
  /** Default: AZURE_SUBSCRIPTION_ID. */
  readonly subscriptionId?: string;
  /** Made by the first deploy when it is not there. Default `jobferry`. */
  readonly resourceGroup?: string;
  /** Where apps are made, for example `westeurope`. Default: where the resource group is. */
  readonly location?: string;
  /** Keeps packages and the host's own state; made by the first deploy when it is not there. Default: a name of its own. */
  readonly storageAccount?: string;
  /**
   * The app a job is deployed as: one for each job. Names are global, so the default,
   * `jobferry-{8 hex digits of subscription and group}-job-{id}`, is one that nobody else has.
   */
  readonly appName?: (jobId: JobId) => string;
  /** Where a job's app answers and its function key, for callers without rights to Azure's management API. */
  readonly apps?: (jobId: JobId) => AppAccess | undefined;
  /** Default: `DefaultAzureCredential` of @azure/identity. */
  readonly credential?: TokenCredential;
  /** What apps are created with, where `deployJob` does not say it in `config.azure`. */
  readonly azure?: AzureFunctionOptions;
  /** Connection string of an Application Insights resource: functions log there, and `logs` reads there. */
  readonly applicationInsights?: string;
  /** Called at each step of a deploy. Must not throw. */
  readonly onProgress?: (progress: DeployProgress) => void;
  /** `https://host[:port]` of the management API. Default `https://management.azure.com`. */
  readonly endpoint?: string;
  /** Of tokens for the management API. Default `https://management.azure.com/.default`. */
  readonly scope?: string;
  /** Of Application Insights' query API. Default `https://api.applicationinsights.io`. */
  readonly logsEndpoint?: string;
  /** The most sockets for calls of one app. Default 128. */
  readonly connections?: number;
  /** Default 10 000. */
  readonly connectTimeoutMs?: number;
  /** How long a deploy may take in all. Default 600 000. */
  readonly deployTimeoutMs?: number;
  /** How long a new app may take until it answers and has its keys. Default 180 000. */
  readonly readyTimeoutMs?: number;
  /** How often operations and deployments are asked for, and new log lines when following. Default 2000. */
  readonly pollMs?: number;
  readonly limits?: Partial<ProviderLimits>;
  readonly tls?: TlsOptions;
  /** Used for all requests instead of sockets of our own; not closed with the executor. */
  readonly dispatcher?: Dispatcher;
}

/** One app, for a caller. */
export interface AppAccess {
  /** `https://host` */
  readonly url: string;
  readonly functionKey: string;
}

/** How an app is hosted and paid. */
export type AzurePlan =
  /** Flex Consumption: scales to nothing, 512, 2048 or 4096 MB. A plan for each app. */
  | { readonly kind: 'flex' }
  /** Consumption (Y1): older, 1536 MB. Its packages are read from storage: needs @azure/storage-blob. */
  | { readonly kind: 'consumption' }
  /** Elastic Premium: instances that always run. One plan for all apps of a size. */
  | { readonly kind: 'premium'; readonly sku: 'EP1' | 'EP2' | 'EP3' };

export interface AzureFunctionOptions {
  /** Default `{ kind: 'flex' }`. An app never moves from one kind to another. */
  readonly plan?: AzurePlan;
  /** Default `{ name: 'node', version: '22' }`, which runs what `jobferry/packaging` makes for the target azure-functions. */
  readonly runtime?: { readonly name: string; readonly version: string };
  /** Calls an instance works on at once (Flex Consumption). Default: Azure's, by memory; 1 with `maxConcurrency`. */
  readonly perInstanceConcurrency?: number;
  /** Resource id of a user-assigned identity, which reads `secrets`. Default: one of the app's own. */
  readonly identity?: string;
}

/** A `FunctionConfig` with what only Azure knows. `secrets` are URIs of Key Vault secrets. */
export interface AzureFunctionConfig extends FunctionConfig {
  readonly azure?: AzureFunctionOptions;
}

export type DeployStep =
  | 'group'
  | 'storage'
  | 'container'
  | 'plan'
  | 'app'
  | 'settings'
  | 'publish'
  | 'ready'
  | 'done';
export type DeployProgress = StepProgress<DeployStep>;

/** The options with everything checked and every default filled in. */
export interface Settings {
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  readonly location: string | undefined;
  readonly storageAccount: string;
  readonly appName: (jobId: JobId) => string;
  readonly apps: ((jobId: JobId) => AppAccess | undefined) | undefined;
  readonly credential: TokenCredential | undefined;
  readonly azure: AzureFunctionOptions;
  readonly applicationInsights: string | undefined;
  readonly onProgress: ((progress: DeployProgress) => void) | undefined;
  readonly endpoint: string;
  readonly scope: string;
  readonly logsEndpoint: string;
  readonly connections: number;
  readonly connectTimeoutMs: number;
  readonly deployTimeoutMs: number;
  readonly readyTimeoutMs: number;
  readonly pollMs: number;
  readonly limits: ProviderLimits;
  readonly tls: TlsOptions | undefined;
  readonly dispatcher: Dispatcher | undefined;
}

const OPTION_NAMES: ReadonlySet<string> = new Set<keyof AzureFunctionExecutorOptions>([
  'subscriptionId',
  'resourceGroup',
  'location',
  'storageAccount',
  'appName',
  'apps',
  'credential',
  'azure',
  'applicationInsights',
  'onProgress',
  'endpoint',
  'scope',
  'logsEndpoint',
  'connections',
  'connectTimeoutMs',
  'deployTimeoutMs',
  'readyTimeoutMs',
  'pollMs',
  'limits',
  'tls',
  'dispatcher',
]);

/** @throws {FaasError} CONFIG with the name of the option. No value is quoted that may be a secret. */
export function checkOptions(options: AzureFunctionExecutorOptions): Settings {
  check.known(options, OPTION_NAMES);
  const subscriptionId = options.subscriptionId ?? process.env['AZURE_SUBSCRIPTION_ID'] ?? '';
  if (subscriptionId === '' && options.apps === undefined)
    throw config(
      'needs `subscriptionId`, or AZURE_SUBSCRIPTION_ID in the environment, or `apps` to call alone',
    );
  if (!/^[\w-]*$/.test(subscriptionId)) throw config('takes a `subscriptionId` of letters, digits and -');
  const resourceGroup = options.resourceGroup ?? 'jobferry';
  if (!/^[\w.()-]{0,89}[\w()-]$/.test(resourceGroup)) {
    throw config('takes a `resourceGroup` of at most 90 letters, digits and _ . ( ) -, no . at its end');
  }
  const own = createHash('sha256').update(`${subscriptionId}/${resourceGroup}`.toLowerCase()).digest('hex');
  const storageAccount = options.storageAccount ?? `jobferry${own.slice(0, 16)}`;
  if (!/^[a-z0-9]{3,24}$/.test(storageAccount))
    throw config('takes a `storageAccount` of 3 to 24 characters of a-z and 0-9');
  return {
    subscriptionId,
    resourceGroup,
    location: options.location,
    storageAccount,
    appName: options.appName ?? ((jobId) => `jobferry-${own.slice(0, 8)}-job-${jobId}`),
    apps: options.apps,
    credential: options.credential,
    azure: options.azure ?? {},
    applicationInsights: options.applicationInsights,
    onProgress: options.onProgress,
    endpoint: secureOrigin(options.endpoint ?? 'https://management.azure.com', 'endpoint'),
    scope: options.scope ?? 'https://management.azure.com/.default',
    logsEndpoint: secureOrigin(options.logsEndpoint ?? 'https://api.applicationinsights.io', 'logsEndpoint'),
    connections: check.whole(options.connections ?? 128, 'connections'),
    connectTimeoutMs: check.whole(options.connectTimeoutMs ?? 10_000, 'connectTimeoutMs'),
    deployTimeoutMs: check.whole(options.deployTimeoutMs ?? 600_000, 'deployTimeoutMs'),
    readyTimeoutMs: check.whole(options.readyTimeoutMs ?? 180_000, 'readyTimeoutMs'),
    pollMs: check.whole(options.pollMs ?? 2000, 'pollMs'),
    limits: { ...AZURE_LIMITS, ...options.limits },
    tls: options.tls,
    dispatcher: options.dispatcher,
  };
}

/** @throws {FaasError} CONFIG for a job id that is none, or a name Azure does not take. */
export function appNameOf(settings: Settings, jobId: JobId): string {
  const name = settings.appName(checkJobId(jobId));
  if (settings.limits.namePattern?.test(name) !== false) return name;
  throw config(
    `\`appName(${jobId})\` gave a name Azure does not take: 2 to 60 letters, digits and -, no - at the ends`,
  );
}

/** An origin; the URL itself is never quoted: it may hold a key. */
export function originOf(text: string, option: string): string {
  return check.url(text, option).origin;
}

/** A token is never sent over plain HTTP. */
function secureOrigin(text: string, option: string): string {
  const { protocol, origin } = check.url(text, option);
  if (protocol !== 'https:') throw config(`\`${option}\` must be https://host[:port]`);
  return origin;
}
