/** The options, checked once: what is wrong is said by the constructor, with the option's name. Does no I/O. */
import type { Dispatcher } from 'undici';
import type { ProviderLimits } from '../../core/executor.js';
import { checkJobId, type JobId } from '../../core/job.js';
import { OptionsCheck } from '../shared/options-check.js';
import type { GatewayAuth, Secret } from './auth.js';
import { type FunctionIds, memoryFunctionIds } from './function-ids.js';
import { E2E_LIMITS, E2E_PLATFORM_LIMITS, OPENFAAS_LIMITS } from './limits.js';
import {
  type DeployProgress,
  type E2eFunctionOptions,
  type E2eOpenFaasExecutorOptions,
  type E2eOptions,
  type E2ePlatformOptions,
  type OpenFaasFunctionOptions,
  type OpenFaasOptions,
  PROVIDER,
  type ProfileName,
} from './options.js';

/** What every part of the room needs, with every default filled in. */
export interface Settings {
  readonly profile: ProfileName;
  readonly url: URL;
  readonly namespace: string | undefined;
  readonly functionName: (jobId: JobId) => string;
  readonly payload: 'entry' | 'raw';
  readonly contentType: string;
  readonly auth: GatewayAuth | undefined;
  /** Sent with every request of the control plane; secret in part. */
  readonly query: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  readonly callAuth: GatewayAuth | undefined;
  readonly openfaas: OpenFaasFunctionOptions;
  readonly e2e: E2eFunctionOptions;
  readonly ids: FunctionIds;
  readonly onProgress: ((progress: DeployProgress) => void) | undefined;
  readonly connections: number;
  readonly connectTimeoutMs: number;
  readonly deployTimeoutMs: number;
  readonly pollMs: number;
  readonly maxReplyBytes: number;
  readonly limits: ProviderLimits;
  readonly dispatcher: Dispatcher | undefined;
}

const check = new OptionsCheck('E2eOpenFaasExecutor', PROVIDER);
export const config = check.error;

const COMMON = [
  'profile',
  'url',
  'namespace',
  'functionName',
  'payload',
  'contentType',
  'callAuth',
  'onProgress',
  'connections',
  'connectTimeoutMs',
  'deployTimeoutMs',
  'pollMs',
  'maxReplyBytes',
  'limits',
  'dispatcher',
] as const;

const OPTION_NAMES = {
  openfaas: new Set<string>([...COMMON, 'auth', 'openfaas'] satisfies (keyof OpenFaasOptions)[]),
  e2e: new Set<string>([
    ...COMMON,
    'apiKey',
    'authToken',
    'projectId',
    'location',
    'ids',
    'e2e',
  ] satisfies (keyof E2eOptions)[]),
  'e2e-platform': new Set<string>([
    ...COMMON,
    'apiKey',
    'authToken',
    'e2e',
  ] satisfies (keyof E2ePlatformOptions)[]),
} satisfies Record<ProfileName, ReadonlySet<string>>;

const LIMITS = {
  openfaas: OPENFAAS_LIMITS,
  e2e: E2E_LIMITS,
  'e2e-platform': E2E_PLATFORM_LIMITS,
} satisfies Record<ProfileName, ProviderLimits>;

/** @throws {FaasError} CONFIG with the name of the option. No value is quoted that may be a secret. */
export function checkOptions(options: E2eOpenFaasExecutorOptions): Settings {
  const profile = options.profile ?? 'openfaas';
  const known = OPTION_NAMES[profile];
  if (known === undefined)
    throw config(`has no profile ${JSON.stringify(profile)}: use openfaas, e2e or e2e-platform`);
  for (const name of Object.keys(options)) {
    if (!known.has(name))
      throw config(`has no option \`${name}\` for the profile ${profile}. Known: ${[...known].join(', ')}`);
  }
  const { namespace, payload = 'entry', functionName = (jobId) => `jobferry-job-${jobId}` } = options;
  if (namespace !== undefined && !/^[a-z0-9][-a-z0-9]{0,62}$/.test(namespace))
    throw config('`namespace` must be of a-z, 0-9 and -');
  if (payload !== 'entry' && payload !== 'raw') throw config('`payload` is `entry` or `raw`');
  return {
    profile,
    namespace,
    functionName,
    payload,
    ...accessOf(options),
    contentType: options.contentType ?? 'application/octet-stream',
    callAuth: options.callAuth,
    onProgress: options.onProgress,
    connections: check.whole(options.connections ?? 128, 'connections'),
    connectTimeoutMs: check.whole(options.connectTimeoutMs ?? 10_000, 'connectTimeoutMs'),
    deployTimeoutMs: check.whole(options.deployTimeoutMs ?? 600_000, 'deployTimeoutMs'),
    pollMs: check.whole(options.pollMs ?? 200, 'pollMs'),
    maxReplyBytes: check.whole(options.maxReplyBytes ?? 32 * 1024 * 1024, 'maxReplyBytes'),
    limits: { ...LIMITS[profile], ...options.limits },
    dispatcher: options.dispatcher,
  };
}

type Access = Pick<Settings, 'url' | 'auth' | 'query' | 'secrets' | 'openfaas' | 'e2e' | 'ids'>;

function accessOf(options: E2eOpenFaasExecutorOptions): Access {
  switch (options.profile) {
    case 'e2e': {
      const { E2E_PROJECT_ID, E2E_LOCATION } = process.env;
      const projectId = options.projectId ?? E2E_PROJECT_ID;
      if (!projectId) throw config('needs `projectId`, or E2E_PROJECT_ID in the environment');
      if (options.namespace === undefined) throw config('needs `namespace`: E2E creates no function without');
      const location = options.location ?? (E2E_LOCATION || 'Delhi');
      const key = apiKeyOf(options, true);
      return {
        url: checkUrl(options.url ?? 'https://api.e2enetworks.com/myaccount/api/v1'),
        auth: tokenOf(options.authToken, true),
        query: { ...key, project_id: projectId, location },
        secrets: Object.values(key),
        openfaas: {},
        e2e: options.e2e ?? {},
        ids: options.ids ?? memoryFunctionIds(),
      };
    }
    case 'e2e-platform': {
      const own = process.env['E2E_FAAS_URL'] || 'https://api.e2enetworks.com/faas/api/v1';
      const url = checkUrl(options.url ?? own);
      // A platform on this machine asks for none.
      const isNeeded = !['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname);
      const query = apiKeyOf(options, isNeeded);
      const auth = tokenOf(options.authToken, isNeeded);
      const secrets = Object.values(query);
      return { url, auth, query, secrets, openfaas: {}, e2e: options.e2e ?? {}, ids: memoryFunctionIds() };
    }
    default: {
      const url = checkUrl(options.url ?? (process.env['OPENFAAS_URL'] || 'http://127.0.0.1:8080'));
      const { auth, openfaas = {} } = options;
      return { url, auth, query: {}, secrets: [], openfaas, e2e: {}, ids: memoryFunctionIds() };
    }
  }
}

function apiKeyOf({ apiKey }: { readonly apiKey?: string }, isNeeded: boolean): { apikey?: string } {
  const key = apiKey ?? process.env['E2E_API_KEY'];
  if (key) return { apikey: key };
  if (isNeeded) throw config('needs `apiKey`, or E2E_API_KEY in the environment');
  return {};
}

function tokenOf(authToken: Secret | undefined, isNeeded: boolean): GatewayAuth | undefined {
  const bearer = authToken ?? process.env['E2E_AUTH_TOKEN'];
  if (bearer) return { bearer };
  if (isNeeded) throw config('needs `authToken`, or E2E_AUTH_TOKEN in the environment');
  return undefined;
}

/** @throws {FaasError} CONFIG for a job id that is none, or a name the API does not take. */
export function functionNameOf({ functionName, limits }: Settings, jobId: JobId): string {
  const name = functionName(checkJobId(jobId));
  if (limits.namePattern?.test(name) !== false) return name;
  throw config(`\`functionName(${jobId})\` gave a name the API does not take: ${limits.namePattern.source}`);
}

/** A path is fine: the API's own paths come after it. */
function checkUrl(text: string): URL {
  const url = check.url(text, 'url');
  if (url.search === '' && url.hash === '') return url;
  throw config('`url` must be http(s)://host[:port][/path], without a query');
}
