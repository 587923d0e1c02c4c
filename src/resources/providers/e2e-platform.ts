/** The API of E2E's design documents, `/faas/api/v1`: functions with ids, updates by group, secrets, runtimes. */
import { FaasError, type FaasErrorCode } from '../../core/errors.js';
import type { UpdateGroup } from '../core/diff.js';
import type { DesiredFunction } from '../core/model.js';
import { RUNTIMES, type RuntimeInfo } from '../core/runtimes.js';
import type { Code, FunctionStatus, RemoteFunction, ResourceProvider } from '../provider.js';

export interface E2ePlatformOptions {
  /** The URL that ends in `/faas/api/v1`. */
  readonly endpoint: string;
  /** Sent as `Authorization: Bearer`. */
  readonly authToken?: string;
  /** Sent as the query `apikey`, and shown nowhere. */
  readonly apiKey?: string;
  /** As files name it. Default `e2e-platform`. */
  readonly name?: string;
}

type Json = Readonly<Record<string, unknown>>;

const STATUSES: Readonly<Record<string, FunctionStatus>> = {
  deploying: 'deploying',
  building: 'deploying',
  pending: 'deploying',
  updating: 'updating',
  running: 'running',
  ready: 'running',
  active: 'running',
  failed: 'failed',
  error: 'failed',
  deleting: 'deleting',
  idle: 'idle',
};

const CODES: Readonly<Record<number, FaasErrorCode>> = {
  400: 'INVALID_REQUEST',
  401: 'AUTH',
  403: 'AUTH',
  404: 'NOT_FOUND',
  409: 'CONFLICT',
  413: 'PAYLOAD_TOO_LARGE',
  422: 'INVALID_REQUEST',
  429: 'THROTTLED',
};

export function e2ePlatformProvider(options: E2ePlatformOptions): ResourceProvider {
  const { name = 'e2e-platform' } = options;
  const api = new Api(options, name);
  const path = (id: string, rest = '') => `/functions/${encodeURIComponent(id)}${rest}`;

  return {
    name,
    cannotRun: ({ address, runtime, image }) =>
      runtime === 'custom' && image === undefined
        ? [`${address} cannot run at ${name} because it has no image.`]
        : [],
    async create(desired, code, signal) {
      const { name: functionName, runtime, template, labels, annotations, namespace } = desired;
      const body = {
        name: functionName,
        runtime,
        template,
        ...(namespace !== undefined && { namespace }),
        ...(await codeFields(desired, code)),
        config: configFields(desired),
        ...environmentFields(desired),
        labels,
        annotations,
      };
      const reply = await api.send('POST', '/functions', signal, body);
      const { id } = reply ?? {};
      if (typeof id === 'string' && id !== '') return { id };
      throw new FaasError({
        code: 'PROTOCOL',
        executed: 'maybe',
        provider: name,
        message: `${name} made ${functionName} and gave it no id.`,
      });
    },
    async read(id, signal) {
      const reply = await api.send('GET', path(id), signal);
      return reply === undefined ? undefined : remoteOf(reply);
    },
    async find({ name: functionName, namespace }, signal) {
      const reply = await api.send('GET', '/functions', signal);
      const list = (Array.isArray(reply) ? reply : (reply?.['functions'] ?? [])) as Json[];
      const [found, other] = list.filter(
        (one) => one['name'] === functionName && (namespace === undefined || one['namespace'] === namespace),
      );
      if (other !== undefined) throw ambiguous(name, functionName, [found, other]);
      return found === undefined ? undefined : remoteOf(found);
    },
    async update(id, group, desired, code, signal) {
      await api.send('PUT', path(id, `/${group}`), signal, await groupFields(group, desired, code));
    },
    async delete(id, signal) {
      await api.send('DELETE', path(id), signal);
    },
    secrets: {
      async put({ name: secret, namespace }, value, signal) {
        const body = { name: secret, value, ...(namespace !== undefined && { namespace }) };
        const there = await api.hasSecret(secret, namespace, signal);
        const reply = there
          ? await api.send('PUT', `/secrets/${encodeURIComponent(secret)}`, signal, body)
          : await api.send('POST', '/secrets', signal, body);
        const createdAt = text(reply?.['created_at']);
        return { id: text(reply?.['id']) ?? secret, ...(createdAt !== undefined && { createdAt }) };
      },
      has: (secret, namespace, signal) => api.hasSecret(secret, namespace, signal),
      async delete(secret, _namespace, signal) {
        await api.send('DELETE', `/secrets/${encodeURIComponent(secret)}`, signal);
      },
    },
    async runtimes(signal) {
      const reply = await api.send('GET', '/runtimes', signal);
      const list = (Array.isArray(reply) ? reply : (reply?.['runtimes'] ?? [])) as Json[];
      return list.map(runtimeOf);
    },
  };
}

class Api {
  readonly #base: string;
  readonly #options: E2ePlatformOptions;
  readonly #name: string;

  constructor(options: E2ePlatformOptions, name: string) {
    this.#options = options;
    this.#name = name;
    this.#base = options.endpoint.replace(/\/+$/, '');
    if (!URL.canParse(this.#base)) throw this.#error('CONFIG', 'no', 'its endpoint is no URL');
  }

  async hasSecret(name: string, namespace: string | undefined, signal: AbortSignal): Promise<boolean> {
    const reply = await this.send('GET', '/secrets', signal);
    const list = (Array.isArray(reply) ? reply : (reply?.['secrets'] ?? [])) as (Json | string)[];
    return list.some((one) => {
      if (typeof one === 'string') return one === name;
      const { name: its, namespace: where = namespace } = one;
      return its === name && (namespace === undefined || where === namespace);
    });
  }

  /** @returns undefined for 404 to GET and DELETE, and for replies without a body */
  async send(method: string, path: string, signal: AbortSignal, body?: object): Promise<Json | undefined> {
    const { authToken, apiKey } = this.#options;
    const url = new URL(`${this.#base}${path}`);
    if (apiKey !== undefined) url.searchParams.set('apikey', apiKey);
    let response: Response;
    let said: string;
    try {
      response = await fetch(url, {
        method,
        signal,
        redirect: 'error',
        headers: {
          accept: 'application/json',
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(authToken !== undefined && { authorization: `Bearer ${authToken}` }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      said = await response.text();
    } catch (cause) {
      if (signal.aborted) throw this.#error('CANCELLED', 'maybe', `${method} ${path} was cancelled`, cause);
      const refused = (cause as { cause?: { code?: string } }).cause?.code === 'ECONNREFUSED';
      throw this.#error('UNAVAILABLE', refused ? 'no' : 'maybe', `${method} ${path} got no answer`, cause);
    }
    if (response.status === 404 && (method === 'GET' || method === 'DELETE')) return undefined;
    const json = parse(said);
    if (response.ok) return json;
    const code = CODES[response.status] ?? 'UNAVAILABLE';
    const reason = text(json?.['error']) ?? text(json?.['message']) ?? said.slice(0, 200);
    const executed = response.status < 500 ? 'no' : 'maybe';
    throw this.#error(code, executed, `${method} ${path} was answered with ${response.status}: ${reason}`);
  }

  #error(code: FaasErrorCode, executed: 'no' | 'maybe', what: string, cause?: unknown): FaasError {
    const message = `${this.#name}: ${what.replace(/\.+$/, '')}.`;
    return new FaasError({ code, executed, provider: this.#name, message, cause });
  }
}

/** One of them might be deleted or updated: better neither. */
function ambiguous(provider: string, functionName: string, found: readonly (Json | undefined)[]): FaasError {
  const places = found.map((one) => String(one?.['namespace'])).join(' and ');
  const message = `${provider}: there is a function ${functionName} in ${places}. Add its \`namespace\` to the file.`;
  return new FaasError({ code: 'CONFIG', executed: 'no', provider, functionName, message });
}

async function groupFields(
  group: UpdateGroup,
  desired: DesiredFunction,
  code: Code | undefined,
): Promise<object> {
  switch (group) {
    case 'code':
      return codeFields(desired, code);
    case 'config':
      return configFields(desired);
    case 'environment':
      return environmentFields(desired);
    case 'metadata':
      return { labels: desired.labels, annotations: desired.annotations };
    case 'value':
      return {};
  }
}

async function codeFields(
  { image, handler_function, requirements }: DesiredFunction,
  code: Code | undefined,
): Promise<object> {
  return {
    handler_function,
    ...(requirements !== undefined && { requirements }),
    ...(image !== undefined && { image }),
    ...(code !== undefined && {
      code_archive: Buffer.from(await code.zip()).toString('base64'),
      code_sha256: code.sha256,
    }),
  };
}

function configFields({ config }: DesiredFunction): object {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}

function environmentFields({ environment, secrets }: DesiredFunction): object {
  return { environment, secrets };
}

function remoteOf(fields: Json): RemoteFunction {
  const statusText = text(fields['status']) ?? 'unknown';
  return given({
    id: String(fields['id']),
    name: text(fields['name']),
    status: STATUSES[statusText.toLowerCase()] ?? 'unknown',
    statusText,
    errorMessage: text(fields['error_message']),
    namespace: text(fields['namespace']),
    runtime: text(fields['runtime']),
    template: text(fields['template']),
    invokeUrl: text(fields['invoke_url']),
    version: text(fields['version']),
    codeSha256: text(fields['code_sha256']),
    config: object(fields['config']),
    environment: object(fields['environment']) as Record<string, string> | undefined,
    secrets: Array.isArray(fields['secrets']) ? (fields['secrets'] as string[]) : undefined,
    labels: object(fields['labels']) as Record<string, string> | undefined,
    annotations: object(fields['annotations']) as Record<string, string> | undefined,
    createdAt: text(fields['created_at']),
    updatedAt: text(fields['updated_at']),
    invocationCount: typeof fields['invocation_count'] === 'number' ? fields['invocation_count'] : undefined,
  });
}

/** Without what the API did not say. */
function given(fields: { [Key in keyof RemoteFunction]: RemoteFunction[Key] | undefined }): RemoteFunction {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as unknown as RemoteFunction;
}

function runtimeOf(fields: Json): RuntimeInfo {
  const name = text(fields['name']) ?? '';
  const known = RUNTIMES.find((one) => one.name === name);
  const list = (value: unknown) => (Array.isArray(value) ? (value as string[]) : []);
  return {
    name,
    title: known?.title ?? name,
    version: text(fields['version']) ?? '',
    templates: list(fields['templates']),
    hardware: list(fields['hardware']) as RuntimeInfo['hardware'],
    ...(known?.endOfLife !== undefined && { endOfLife: known.endOfLife }),
  };
}

function parse(body: string): Json | undefined {
  try {
    return body === '' ? undefined : (JSON.parse(body) as Json);
  } catch {
    return undefined;
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function object(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}
