/** The options of the executor, checked once: what is wrong is said by the constructor, with the option's name. */
import type { Dispatcher } from 'undici';
import { FaasError } from '../../core/errors.js';
import type { ProviderLimits } from '../../core/executor.js';
import { checkJobId, type JobId } from '../../core/job.js';
import type { TlsOptions } from '../shared/origin-pool.js';

export const PROVIDER = 'custom-http';

export interface HttpFaasExecutorOptions {
  /** `http(s)://host[:port][/prefix]`, with or without a slash at the end. */
  readonly baseUrl: string;
  /** The function a job is deployed as. Default `job{id}`. Must give a name the spec allows. */
  readonly functionName?: (jobId: JobId) => string;
  /** Where to POST the calls of single jobs instead, as absolute URLs. */
  readonly endpoints?: Readonly<Record<JobId, string>>;
  /** Send `auth`, `headers` and the client certificate to `endpoints` of other origins too. Default false. */
  readonly endpointAuth?: boolean;
  /**
   * `functions` (default): the spec, `/api/functions/{name}/…`. `job-endpoint`: servers that know only
   * `POST|HEAD {baseUrl}/job/{id}`; there is no life cycle then, but for `healthCheck`.
   */
  readonly api?: 'functions' | 'job-endpoint';
  /**
   * `auto` (default): `GET {baseUrl}/api` is asked once, when a call or an operation could profit from spec 1.1, and
   * what the platform offers is used. `1.0`: never asked. `1.1`: asked before the first call, and a platform that does
   * not speak 1.1 is UNSUPPORTED. Calls to `endpoints` are always those of 1.0.
   */
  readonly spec?: 'auto' | '1.0' | '1.1';
  /**
   * `sync` (default): a call is one request that waits for the result. `async`: the platform stores the call, and the
   * result is waited for by asking, so that a broken connection costs nothing. `{ asyncAboveMs }`: async for calls
   * with more time left than that, or without a deadline. Async needs the feature `async` (UNSUPPORTED without it).
   */
  readonly mode?: CallMode;
  /** Sent with every request to the origin of `baseUrl`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly auth?: AuthOptions;
  readonly tls?: TlsOptions;
  /** The most sockets to one origin. Default 128. */
  readonly connections?: number;
  /** Default 10 000. */
  readonly connectTimeoutMs?: number;
  /** A longer reply is cut off and fails with PAYLOAD_TOO_LARGE. Default 64 MiB. */
  readonly maxResponseBytes?: number;
  /** What this platform takes, where it differs from the spec. */
  readonly limits?: Partial<ProviderLimits>;
  /** Used for all requests instead of sockets of our own; not closed with the executor. Excludes `tls`. */
  readonly dispatcher?: Dispatcher;
}

export type CallMode = 'sync' | 'async' | { readonly asyncAboveMs: number };

export type AuthOptions = BearerAuth | OAuth2Auth;

export interface BearerAuth {
  /** A function is asked for every request: let it keep its token and renew it when it must. */
  readonly bearer: string | (() => string | Promise<string>);
}

export interface OAuth2Auth {
  /** The client credentials grant (RFC 6749, 4.4). Tokens are shared by all calls and renewed before they expire. */
  readonly oauth2: {
    readonly tokenUrl: string;
    readonly clientId: string;
    readonly clientSecret: string;
    readonly scope?: string;
    readonly audience?: string;
  };
}

const OPTION_NAMES: ReadonlySet<string> = new Set<keyof HttpFaasExecutorOptions>([
  'baseUrl',
  'functionName',
  'endpoints',
  'endpointAuth',
  'api',
  'spec',
  'mode',
  'headers',
  'auth',
  'tls',
  'connections',
  'connectTimeoutMs',
  'maxResponseBytes',
  'limits',
  'dispatcher',
]);

/** The limits of the custom-FaaS spec 1.0. It states none for the bytes of a call. */
const SPEC_LIMITS: ProviderLimits = {
  memoryMb: { min: 128, max: 10_240, step: 64 },
  timeoutSecs: { min: 1, max: 900 },
  maxConcurrency: { min: 1, max: 1000 },
  maxArtifactBytes: 50 * 1024 * 1024,
  namePattern: /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
  asOf: '2026-08-20',
  source: 'custom-FaaS platform spec 1.0, sections on configuration and limits',
};

/** An invoke URL apart: undici wants origin and path. */
interface Target {
  readonly origin: string;
  readonly path: string;
}

/** The options with everything checked and every default filled in. */
export interface Settings {
  readonly origin: string;
  /** The path of `baseUrl` without a slash at the end; empty for none. */
  readonly prefix: string;
  readonly functionName: (jobId: JobId) => string;
  readonly endpoints: ReadonlyMap<JobId, Target>;
  readonly endpointAuth: boolean;
  readonly api: 'functions' | 'job-endpoint';
  readonly spec: 'auto' | '1.0' | '1.1';
  /** Calls with more time left than this are async; undefined for none. */
  readonly asyncAboveMs: number | undefined;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  readonly auth: AuthOptions | undefined;
  readonly tls: TlsOptions | undefined;
  readonly connections: number;
  readonly connectTimeoutMs: number;
  readonly maxResponseBytes: number;
  readonly limits: ProviderLimits;
  readonly dispatcher: Dispatcher | undefined;
}

/** @throws {FaasError} CONFIG with the name of the option. No value is quoted that may be a secret. */
export function checkOptions(options: HttpFaasExecutorOptions): Settings {
  if (typeof options !== 'object' || options === null) throw config('needs an options object with `baseUrl`');
  for (const name of Object.keys(options)) {
    if (!OPTION_NAMES.has(name))
      throw config(`has no option \`${name}\`. Known: ${[...OPTION_NAMES].join(', ')}`);
  }
  const { dispatcher, tls, auth, api = 'functions', spec = 'auto' } = options;
  if (api !== 'functions' && api !== 'job-endpoint')
    throw config("`api` must be 'functions' or 'job-endpoint'");
  if (spec !== 'auto' && spec !== '1.0' && spec !== '1.1') {
    throw config("`spec` must be 'auto', '1.0' or '1.1'");
  }
  const asyncAboveMs = checkMode(options);
  if (dispatcher !== undefined && tls !== undefined) {
    throw config('takes `dispatcher` or `tls`, not both: a dispatcher has its own TLS');
  }
  const base = parseUrl(options.baseUrl, 'baseUrl');
  if (base.search !== '' || base.hash !== '') throw config('`baseUrl` must end before `?` and `#`');
  return {
    origin: base.origin,
    prefix: base.pathname.replace(/\/+$/, ''),
    functionName: options.functionName ?? ((jobId) => `job${jobId}`),
    endpoints: checkEndpoints(options.endpoints ?? {}),
    endpointAuth: options.endpointAuth ?? false,
    api,
    spec,
    asyncAboveMs,
    headers: checkHeaders(options.headers ?? {}, auth !== undefined),
    auth: checkAuth(auth),
    tls,
    connections: whole(options.connections ?? 128, 'connections'),
    connectTimeoutMs: whole(options.connectTimeoutMs ?? 10_000, 'connectTimeoutMs'),
    maxResponseBytes: whole(options.maxResponseBytes ?? 64 * 1024 * 1024, 'maxResponseBytes'),
    limits: { ...SPEC_LIMITS, ...options.limits },
    dispatcher,
  };
}

/** From which time left on a call is async: `async` is above 0, `sync` is never. */
function checkMode({ mode = 'sync', spec, endpoints = {} }: HttpFaasExecutorOptions): number | undefined {
  if (mode === 'sync') return undefined;
  const asyncAboveMs = mode === 'async' ? 0 : (mode as { asyncAboveMs?: unknown } | null)?.asyncAboveMs;
  if (typeof asyncAboveMs !== 'number' || !(asyncAboveMs >= 0)) {
    throw config("`mode` must be 'sync', 'async' or { asyncAboveMs } with a number of 0 or more");
  }
  if (spec === '1.0') throw config("`mode` cannot be async with `spec: '1.0'`, which has no such calls");
  if (Object.keys(endpoints).length > 0) {
    throw config('takes `endpoints` or an async `mode`, not both: an endpoint answers the call itself');
  }
  return asyncAboveMs;
}

export function config(text: string): FaasError {
  return new FaasError({
    code: 'CONFIG',
    executed: 'no',
    provider: PROVIDER,
    message: `HttpFaasExecutor: ${text}.`,
  });
}

function checkEndpoints(endpoints: Readonly<Record<JobId, string>>): ReadonlyMap<JobId, Target> {
  const targets = new Map<JobId, Target>();
  for (const [id, url] of Object.entries(endpoints)) {
    const jobId = checkJobId(id.trim() === '' ? Number.NaN : Number(id));
    const { origin, pathname, search } = parseUrl(url, `endpoints[${id}]`);
    targets.set(jobId, { origin, path: pathname + search });
  }
  return targets;
}

/** Headers this client writes itself, or that would change how the connection works. */
const RESERVED_HEADER =
  /^(host|connection|content-length|content-type|transfer-encoding|upgrade|expect|te|trailer|keep-alive|x-blueprint-config|x-faas-.*)$/;
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

function checkHeaders(headers: Readonly<Record<string, string>>, hasAuth: boolean): string[] {
  const list: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (!HEADER_NAME.test(name)) throw config(`\`headers\` has a name that is no header name`);
    if (RESERVED_HEADER.test(lower)) throw config(`\`headers\` must not set ${lower}: this client does`);
    if (lower === 'authorization' && hasAuth)
      throw config('takes `auth` or an Authorization header, not both');
    if (typeof value !== 'string' || !HEADER_VALUE.test(value)) {
      throw config(`the value of \`headers\` ${lower} cannot be sent`);
    }
    list.push(lower, value);
  }
  return list;
}

function checkAuth(auth: AuthOptions | undefined): AuthOptions | undefined {
  if (auth === undefined) return undefined;
  if ('oauth2' in auth) {
    const { tokenUrl, clientId, clientSecret } = auth.oauth2;
    parseUrl(tokenUrl, 'auth.oauth2.tokenUrl');
    if (!clientId) throw config('`auth.oauth2.clientId` is empty');
    if (!clientSecret) throw config('`auth.oauth2.clientSecret` is empty');
  } else if (!auth.bearer) {
    throw config('`auth` needs `bearer` or `oauth2`, and neither may be empty');
  }
  return auth;
}

/** The URL itself is never quoted: it may hold a password or a key. */
function parseUrl(value: unknown, option: string): URL {
  if (typeof value !== 'string' || !URL.canParse(value)) {
    throw config(`\`${option}\` must be an absolute URL such as http://127.0.0.1:8080`);
  }
  const url = new URL(value);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw config(`\`${option}\` must begin with http:// or https://, not ${url.protocol}//`);
  }
  if (url.username !== '' || url.password !== '') {
    throw config(`\`${option}\` must not hold credentials, which end up in logs. Use \`auth\``);
  }
  return url;
}

function whole(value: number, option: string): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw config(`\`${option}\` must be an integer of 1 or more`);
}
