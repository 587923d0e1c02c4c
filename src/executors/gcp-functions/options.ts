/** The options of the executor, checked once: what is wrong is said by the constructor, with the option's name. */
import type { v2 } from '@google-cloud/functions';
import type { GoogleAuth } from 'google-auth-library';
import type { Dispatcher } from 'undici';
import type { FunctionConfig, ProviderLimits } from '../../core/executor.js';
import { checkJobId, type JobId } from '../../core/job.js';
import type { StepProgress } from '../shared/deploy-journal.js';
import { OptionsCheck } from '../shared/options-check.js';
import { GCP_LIMITS } from './limits.js';

export const PROVIDER = 'gcp-functions';
const check = new OptionsCheck('CloudFunctionExecutor', PROVIDER);

export interface CloudFunctionExecutorOptions {
  /** Default: GOOGLE_CLOUD_PROJECT, then GCLOUD_PROJECT. */
  readonly project?: string;
  /** Where functions live, for example `europe-west1`. */
  readonly region: string;
  /** The function a job is deployed as. Default `jobferry-job-{id}`. */
  readonly functionName?: (jobId: JobId) => string;
  /** What functions are created with, where `deployJob` does not say it in `config.gcp`. */
  readonly gcp?: GcpFunctionOptions;
  /**
   * Where a job's function answers, for callers that may not read functions (`cloudfunctions.functions.get`).
   * Default: asked of the API once, and again when the function is not found there.
   */
  readonly functionUrl?: (jobId: JobId) => string | undefined;
  /** Credentials. Default: application default credentials, by google-auth-library. */
  readonly auth?: GoogleAuth;
  /** A client of @google-cloud/functions with settings of its own: a proxy, another universe. Not closed with the executor. */
  readonly client?: v2.FunctionServiceClient;
  /** Called at each step of a deploy. Must not throw. */
  readonly onProgress?: (progress: DeployProgress) => void;
  /** `https://host[:port]` of the Cloud Functions API (gRPC). */
  readonly endpoint?: string;
  /** Of Cloud Run's Admin API, for invokers. Default `https://run.googleapis.com`. */
  readonly runEndpoint?: string;
  /** Of Cloud Logging. Default `https://logging.googleapis.com`. */
  readonly loggingEndpoint?: string;
  /** The most sockets for calls of one function. Default 128. */
  readonly connections?: number;
  /** Default 10 000. */
  readonly connectTimeoutMs?: number;
  /** How long a deploy may take in all; builds take one to four minutes. Default 900 000. */
  readonly deployTimeoutMs?: number;
  /** How often an operation is asked for, and new log entries when following. Default 2000. */
  readonly pollMs?: number;
  readonly limits?: Partial<ProviderLimits>;
  /** Used for all HTTP requests instead of sockets of our own; not closed with the executor. */
  readonly dispatcher?: Dispatcher;
}

/** What only Google knows of a function. */
export interface GcpFunctionOptions {
  /** Default `nodejs22`, which runs what `packageHandler` makes for the target gcp-functions. */
  readonly runtime?: string;
  /** The exported function. Default `main`. */
  readonly entryPoint?: string;
  /** vCPUs, for example `1` or `0.5`. Default: Google derives it from the memory. */
  readonly cpu?: string;
  /** Calls one instance works on at once. Default 1: `maxConcurrency` is then the number of instances. */
  readonly concurrency?: number;
  /** E-mail of the account that functions run as. Default: the project's compute account. */
  readonly serviceAccount?: string;
  /** `projects/P/serviceAccounts/E` that builds run as. */
  readonly buildServiceAccount?: string;
  /** Default `all`. */
  readonly ingress?: 'all' | 'internal' | 'internal-and-gclb';
  /** `projects/P/locations/L/connectors/C` */
  readonly vpcConnector?: string;
  readonly vpcEgress?: 'private-ranges' | 'all';
  /**
   * Who gets `roles/run.invoker` on the function, for example `serviceAccount:runner@p.iam.gserviceaccount.com`. Who is
   * taken out of the list loses what a deploy gave; what others gave stays.
   */
  readonly invokers?: readonly string[];
  /**
   * True: anyone may call it. False: everyone's access is removed, whoever gave it. Left out: it is not given, and taken
   * back when a deploy gave it.
   */
  readonly allowUnauthenticated?: boolean;
}

export const GCP_OPTION_NAMES: ReadonlySet<string> = new Set<keyof GcpFunctionOptions>([
  'runtime',
  'entryPoint',
  'cpu',
  'concurrency',
  'serviceAccount',
  'buildServiceAccount',
  'ingress',
  'vpcConnector',
  'vpcEgress',
  'invokers',
  'allowUnauthenticated',
]);

/** A `FunctionConfig` with what only Google knows. `secrets` are `name`, `name:version` or a full version name. */
export interface GcpFunctionConfig extends FunctionConfig {
  readonly gcp?: GcpFunctionOptions;
}

export type DeployStep = 'read' | 'upload' | 'create' | 'update' | 'wait' | 'permit' | 'done';
export type DeployProgress = StepProgress<DeployStep>;

/** The options with everything checked and every default filled in. */
export interface Settings {
  readonly project: string;
  readonly region: string;
  readonly functionName: (jobId: JobId) => string;
  readonly gcp: GcpFunctionOptions;
  readonly functionUrl: ((jobId: JobId) => string | undefined) | undefined;
  readonly auth: GoogleAuth | undefined;
  readonly client: v2.FunctionServiceClient | undefined;
  readonly onProgress: ((progress: DeployProgress) => void) | undefined;
  readonly endpoint: URL | undefined;
  readonly runEndpoint: string;
  readonly loggingEndpoint: string;
  readonly connections: number;
  readonly connectTimeoutMs: number;
  readonly deployTimeoutMs: number;
  readonly pollMs: number;
  readonly limits: ProviderLimits;
  readonly dispatcher: Dispatcher | undefined;
}

const OPTION_NAMES: ReadonlySet<string> = new Set<keyof CloudFunctionExecutorOptions>([
  'project',
  'region',
  'functionName',
  'gcp',
  'functionUrl',
  'auth',
  'client',
  'onProgress',
  'endpoint',
  'runEndpoint',
  'loggingEndpoint',
  'connections',
  'connectTimeoutMs',
  'deployTimeoutMs',
  'pollMs',
  'limits',
  'dispatcher',
]);

/** @throws {FaasError} CONFIG with the name of the option. No value is quoted that may be a secret. */
export function checkOptions(options: CloudFunctionExecutorOptions): Settings {
  check.known(options, OPTION_NAMES);
  const { region, endpoint, gcp = {} } = options;
  const unknown = Object.keys(gcp).find((name) => !GCP_OPTION_NAMES.has(name));
  if (unknown !== undefined)
    throw config(`has no option \`gcp.${unknown}\`. Known: ${[...GCP_OPTION_NAMES].join(', ')}`);
  const project =
    options.project ?? process.env['GOOGLE_CLOUD_PROJECT'] ?? process.env['GCLOUD_PROJECT'] ?? '';
  if (!/^[a-z0-9.:-]{4,}$/.test(project))
    throw config('needs `project`, or GOOGLE_CLOUD_PROJECT in the environment');
  if (typeof region !== 'string' || !/^[a-z]+-[a-z]+\d+$/.test(region))
    throw config('needs `region`, for example europe-west1');
  return {
    project,
    region,
    functionName: options.functionName ?? ((jobId) => `jobferry-job-${jobId}`),
    gcp,
    functionUrl: options.functionUrl,
    auth: options.auth,
    client: options.client,
    onProgress: options.onProgress,
    endpoint: endpoint === undefined ? undefined : secure(check.url(endpoint, 'endpoint')),
    runEndpoint: check.url(options.runEndpoint ?? 'https://run.googleapis.com', 'runEndpoint').origin,
    loggingEndpoint: check.url(options.loggingEndpoint ?? 'https://logging.googleapis.com', 'loggingEndpoint')
      .origin,
    connections: check.whole(options.connections ?? 128, 'connections'),
    connectTimeoutMs: check.whole(options.connectTimeoutMs ?? 10_000, 'connectTimeoutMs'),
    deployTimeoutMs: check.whole(options.deployTimeoutMs ?? 900_000, 'deployTimeoutMs'),
    pollMs: check.whole(options.pollMs ?? 2000, 'pollMs'),
    limits: { ...GCP_LIMITS, ...options.limits },
    dispatcher: options.dispatcher,
  };
}

/** @throws {FaasError} CONFIG for a job id that is none, or a name Google does not take. */
export function functionNameOf(settings: Settings, jobId: JobId): string {
  const name = settings.functionName(checkJobId(jobId));
  if (settings.limits.namePattern?.test(name) !== false) return name;
  throw config(
    `\`functionName(${jobId})\` gave a name Google does not take: 4 to 49 of a-z, 0-9 and -, a letter first`,
  );
}

export const config = check.error;

function secure(url: URL): URL {
  if (url.protocol === 'https:') return url;
  throw config('`endpoint` must be https: gRPC sends no credentials over anything else. Or pass a `client`');
}
