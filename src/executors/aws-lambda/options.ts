/** The options of the executor, checked once: what is wrong is said by the constructor, with the option's name. */
import type { LambdaClient } from '@aws-sdk/client-lambda';
import type { Dispatcher } from 'undici';
import { FaasError } from '../../core/errors.js';
import type { FunctionConfig, ProviderLimits } from '../../core/executor.js';
import { checkJobId, type JobId } from '../../core/job.js';
import type { StepProgress } from '../shared/deploy-journal.js';
import type { Encoding } from '../shared/entry/event.js';
import type { TlsOptions } from '../shared/origin-pool.js';
import type { CredentialSource } from './credentials.js';
import { LAMBDA_LIMITS } from './limits.js';

export const PROVIDER = 'aws-lambda';

export interface LambdaExecutorOptions {
  /** Default: AWS_REGION, then AWS_DEFAULT_REGION. */
  readonly region?: string;
  /** Default: the SDK's chain (environment, SSO, profile, web identity, container, instance). */
  readonly credentials?: CredentialSource;
  /** The function a job is deployed as. Default `jobferry-job-{id}`. */
  readonly functionName?: (jobId: JobId) => string;
  /**
   * Deploys publish a version and point this alias at it, and calls go to it: an atomic switch. `keepWarm` needs it.
   * Default: none; calls run `$LATEST`.
   */
  readonly alias?: string;
  /** The version or alias that is called. Default: `alias`. */
  readonly qualifier?: string;
  /** What functions are created with, where `deployJob` does not say it in `config.aws`. */
  readonly aws?: AwsFunctionOptions;
  /** Where packages over 50 MB go, and how an object is named there. */
  readonly upload?: UploadOptions;
  /** Ask for the tail of the log with each call: metrics come from there (4 KB more per reply). Default true. */
  readonly logTail?: boolean;
  /** Called with the tail of each call's log. Must not throw. */
  readonly onLogTail?: (tail: LogTail) => void;
  /** Called at each step of a deploy. Must not throw. */
  readonly onProgress?: (progress: DeployProgress) => void;
  /** `number-array` for functions that read only `{"job_id","args":[…]}`. Both are understood in replies. */
  readonly encoding?: Encoding;
  /** `http(s)://host[:port]` instead of AWS's own: an emulator, a VPC endpoint. Default: AWS_ENDPOINT_URL_LAMBDA. */
  readonly endpoint?: string;
  /** The same for CloudWatch Logs. Default: AWS_ENDPOINT_URL_CLOUDWATCH_LOGS. */
  readonly logsEndpoint?: string;
  readonly tls?: TlsOptions;
  /** The most sockets for calls. Default 128. */
  readonly connections?: number;
  /** Default 10 000. */
  readonly connectTimeoutMs?: number;
  /** How long a deploy may take in all. Default 600 000. */
  readonly deployTimeoutMs?: number;
  /** How often the state of a function is asked for. Default 1000. */
  readonly pollMs?: number;
  /** Where this account differs from what AWS gives everyone. */
  readonly limits?: Partial<ProviderLimits>;
  /** Used for calls instead of sockets of our own; not closed with the executor. Excludes `tls`. */
  readonly dispatcher?: Dispatcher;
  /** Used for the life cycle instead of a client of our own; not closed with the executor. Give it `maxAttempts: 1`. */
  readonly client?: LambdaClient;
}

/** What Lambda knows and other providers do not. Default of each: AWS's own. */
export interface AwsFunctionOptions {
  /** ARN of the role the function runs as. Deploys need it. */
  readonly role?: string;
  /** Default `x86_64`. */
  readonly architecture?: 'x86_64' | 'arm64';
  /** Default: `nodejs24.x` for a package with `index.mjs`, `provided.al2023` for one with `bootstrap`. */
  readonly runtime?: string;
  /** Default: `index.handler`, or `bootstrap`. */
  readonly handler?: string;
  /**
   * The function answers `invokeStream` instead of `invoke`: its handler is `index.stream`. Only for packages that
   * `packageHandler` made for the target aws-lambda. Default false.
   */
  readonly streaming?: boolean;
  /** ARNs of layer versions, at most five. */
  readonly layers?: readonly string[];
  readonly vpc?: { readonly subnetIds: readonly string[]; readonly securityGroupIds: readonly string[] };
  /** 512 to 10 240. Default 512. */
  readonly ephemeralStorageMb?: number;
  /** Where the events of failed asynchronous calls go: ARN of a queue or topic. */
  readonly deadLetterArn?: string;
  /** Where the records of asynchronous calls go: ARN of a queue, topic, function, bus or bucket. */
  readonly onFailureArn?: string;
  readonly onSuccessArn?: string;
  /** How often AWS runs a failed asynchronous call again, 0 to 2. Default 2. */
  readonly eventRetries?: number;
  /** How long AWS keeps an asynchronous call, 60 to 21 600. Default 21 600. */
  readonly eventMaxAgeSecs?: number;
  readonly logFormat?: 'Text' | 'JSON';
  readonly tracing?: 'Active' | 'PassThrough';
  readonly kmsKeyArn?: string;
}

/** A `FunctionConfig` with what only Lambda knows. */
export interface LambdaFunctionConfig extends FunctionConfig {
  readonly aws?: AwsFunctionOptions;
}

export interface UploadOptions {
  readonly bucket: string;
  /** Packages of more bytes go there. Default 50 MiB, what fits into a request. */
  readonly aboveBytes?: number;
  /** Default `jobferry/`. */
  readonly prefix?: string;
  /** An S3-compatible server instead of AWS's; addressed by path. */
  readonly endpoint?: string;
}

export interface LogTail {
  readonly jobId: JobId;
  readonly callId: string;
  readonly requestId: string | undefined;
  /** The last 4 KB of the log, as Lambda returned them. */
  readonly text: string;
}

/** `create`, `update-code`, `wait`, … in the order of the deploy. */
export type DeployProgress = StepProgress<DeployStep>;

export type DeployStep =
  | 'read'
  | 'upload'
  | 'create'
  | 'wait-for-role'
  | 'wait'
  | 'update-code'
  | 'update-configuration'
  | 'tags'
  | 'events'
  | 'concurrency'
  | 'publish'
  | 'alias'
  | 'provision'
  | 'done';

const OPTION_NAMES: ReadonlySet<string> = new Set<keyof LambdaExecutorOptions>([
  'region',
  'credentials',
  'functionName',
  'alias',
  'qualifier',
  'aws',
  'upload',
  'logTail',
  'onLogTail',
  'onProgress',
  'encoding',
  'endpoint',
  'logsEndpoint',
  'tls',
  'connections',
  'connectTimeoutMs',
  'deployTimeoutMs',
  'pollMs',
  'limits',
  'dispatcher',
  'client',
]);

/** The options with everything checked and every default filled in. */
export interface Settings {
  readonly region: string;
  /** Scheme, host and port of the Lambda API. */
  readonly origin: string;
  readonly ownEndpoint: boolean;
  /** Undefined leaves it to the SDK, which reads the environment too. */
  readonly logsEndpoint: string | undefined;
  readonly credentials: CredentialSource | undefined;
  readonly functionName: (jobId: JobId) => string;
  readonly alias: string | undefined;
  readonly qualifier: string | undefined;
  readonly aws: AwsFunctionOptions;
  readonly upload: UploadOptions | undefined;
  readonly logTail: boolean;
  readonly onLogTail: ((tail: LogTail) => void) | undefined;
  readonly onProgress: ((progress: DeployProgress) => void) | undefined;
  readonly encoding: Encoding;
  readonly tls: TlsOptions | undefined;
  readonly connections: number;
  readonly connectTimeoutMs: number;
  readonly deployTimeoutMs: number;
  readonly pollMs: number;
  readonly limits: ProviderLimits;
  readonly dispatcher: Dispatcher | undefined;
  readonly client: LambdaClient | undefined;
}

/** @throws {FaasError} CONFIG with the name of the option. No value is quoted that may be a secret. */
export function checkOptions(options: LambdaExecutorOptions): Settings {
  for (const name of Object.keys(options)) {
    if (!OPTION_NAMES.has(name))
      throw config(`has no option \`${name}\`. Known: ${[...OPTION_NAMES].join(', ')}`);
  }
  const { credentials, alias, dispatcher, tls, encoding = 'base64' } = options;
  if (dispatcher !== undefined && tls !== undefined) {
    throw config('takes `dispatcher` or `tls`, not both: a dispatcher has its own TLS');
  }
  if (encoding !== 'base64' && encoding !== 'number-array') {
    throw config("`encoding` must be 'base64' or 'number-array'");
  }
  if (typeof credentials === 'object' && !(credentials?.accessKeyId && credentials.secretAccessKey)) {
    throw config('`credentials` must hold `accessKeyId` and `secretAccessKey`, or be a function');
  }
  const region = checkRegion(
    options.region ?? process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'],
  );
  const endpoint = options.endpoint ?? process.env['AWS_ENDPOINT_URL_LAMBDA'];
  return {
    region,
    origin: endpoint === undefined ? awsOrigin(region) : checkEndpoint(endpoint),
    ownEndpoint: endpoint !== undefined,
    logsEndpoint: options.logsEndpoint === undefined ? undefined : checkEndpoint(options.logsEndpoint),
    credentials,
    functionName: options.functionName ?? ((jobId) => `jobferry-job-${jobId}`),
    alias: checkQualifier(alias, 'alias'),
    qualifier: checkQualifier(options.qualifier ?? alias, 'qualifier'),
    aws: options.aws ?? {},
    upload: options.upload,
    logTail: options.logTail ?? true,
    onLogTail: options.onLogTail,
    onProgress: options.onProgress,
    encoding,
    tls,
    connections: whole(options.connections ?? 128, 'connections'),
    connectTimeoutMs: whole(options.connectTimeoutMs ?? 10_000, 'connectTimeoutMs'),
    deployTimeoutMs: whole(options.deployTimeoutMs ?? 600_000, 'deployTimeoutMs'),
    pollMs: whole(options.pollMs ?? 1000, 'pollMs'),
    limits: { ...LAMBDA_LIMITS, ...options.limits },
    dispatcher,
    client: options.client,
  };
}

/**
 * The name of a job's function.
 * @throws {FaasError} CONFIG for a job id that is none, or a name Lambda does not take.
 */
export function functionNameOf(settings: Settings, jobId: JobId): string {
  const name = settings.functionName(checkJobId(jobId));
  if (settings.limits.namePattern?.test(name) !== false) return name;
  throw config(
    `\`functionName(${jobId})\` gave a name Lambda does not take: letters, digits, - and _, at most 64`,
  );
}

export function config(text: string): FaasError {
  return new FaasError({
    code: 'CONFIG',
    executed: 'no',
    provider: PROVIDER,
    message: `LambdaExecutor: ${text}.`,
  });
}

function checkRegion(region: string | undefined): string {
  if (region === undefined || region === '') throw config('needs `region`, or AWS_REGION in the environment');
  if (/^[a-z0-9-]{1,63}$/.test(region)) return region;
  throw config('`region` must be a name such as eu-central-1');
}

function awsOrigin(region: string): string {
  return `https://lambda.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

/** The URL itself is never quoted: it may hold a password. */
function checkEndpoint(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search !== '') {
    throw config('`endpoint` must be http(s)://host[:port] without a path');
  }
  if (url.username !== '' || url.password !== '') throw config('`endpoint` must not hold credentials');
  return url.origin;
}

// The alias's own pattern, and a version's number.
function checkQualifier(value: string | undefined, option: string): string | undefined {
  if (value === undefined || /^([A-Za-z0-9_-]{1,128}|\$LATEST)$/.test(value)) return value;
  throw config(`\`${option}\` must be a version or an alias: letters, digits, - and _`);
}

function whole(value: number, option: string): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw config(`\`${option}\` must be an integer of 1 or more`);
}
