/** The API of E2E's design documents, `/faas/api/v1`: functions with ids, updates by group, secrets, runtimes. */
import { FaasError } from '../../core/errors.js';
import type { UpdateGroup } from '../core/diff.js';
import type { DesiredFunction } from '../core/model.js';
import { ANY_NODE, RUNTIMES, type RuntimeInfo } from '../core/runtimes.js';
import type { Code, FunctionStatus, RemoteFunction, ResourceProvider } from '../provider.js';
import { E2eApi, type E2eApiOptions, type Json, textOf } from './e2e-api.js';

export type E2ePlatformOptions = E2eApiOptions;

const NODE_IDS = RUNTIMES.map(({ name }) => name)
  .filter((name) => /^node\d/.test(name))
  .join(' or ');

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

export function e2ePlatformProvider(options: E2ePlatformOptions): ResourceProvider {
  const { name = 'e2e-platform' } = options;
  const api = new E2eApi(options);
  const path = (id: string, rest = '') => `/functions/${encodeURIComponent(id)}${rest}`;

  const hasSecret = async (secret: string, namespace: string | undefined, signal: AbortSignal) => {
    const list = (await api.list('secrets', signal, { namespace })) as readonly (Json | string)[];
    return list.some((one) => {
      if (typeof one === 'string') return one === secret;
      const { name: its, namespace: where = namespace } = one;
      return its === secret && (namespace === undefined || where === namespace);
    });
  };

  /** A scale that is not spoken of any more would stay: it is narrowed to the fixed count. */
  const endOfScale = async (
    id: string,
    { config }: DesiredFunction,
    signal: AbortSignal,
  ): Promise<object> => {
    if (config.min_scale !== undefined || config.max_scale !== undefined) return {};
    const { min_scale: min, max_scale: max } = object((await api.read(path(id), signal))?.['config']) ?? {};
    const isScaled = (min ?? max ?? undefined) !== undefined;
    return isScaled ? { min_scale: config.replicas, max_scale: config.replicas } : {};
  };

  return {
    name,
    endpoint: api.endpoint,
    cannotRun({ address, runtime, image }) {
      const cannot = (what: string) => [`${address} cannot run at ${name} because ${what}.`];
      if (runtime === ANY_NODE) return cannot(`it has Node.js by versions only: use ${NODE_IDS}`);
      return runtime === 'custom' && image === undefined ? cannot('it has no image') : [];
    },
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
      const reply = await api.send('POST', '/functions', signal, { body });
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
      const reply = await api.read(path(id), signal);
      return reply === undefined ? undefined : remoteOf(reply);
    },
    async find({ name: functionName, namespace }, signal) {
      const list = (await api.list('functions', signal)) as readonly Json[];
      const [found, other] = list.filter(
        (one) => one['name'] === functionName && (namespace === undefined || one['namespace'] === namespace),
      );
      if (other !== undefined) throw ambiguous(name, functionName, [found, other]);
      return found === undefined ? undefined : remoteOf(found);
    },
    async update(id, group, desired, code, signal) {
      const body = await groupFields(group, desired, code);
      const more = group === 'config' ? await endOfScale(id, desired, signal) : {};
      await api.send('PUT', path(id, `/${group}`), signal, { body: { ...body, ...more } });
    },
    async delete(id, signal) {
      await api.delete(path(id), signal);
    },
    secrets: {
      async put({ name: secret, namespace }, value, signal) {
        const body = { name: secret, value, ...(namespace !== undefined && { namespace }) };
        const request = { body, secret: value };
        const reply = (await hasSecret(secret, namespace, signal))
          ? await api.send('PUT', `/secrets/${encodeURIComponent(secret)}`, signal, request)
          : await api.send('POST', '/secrets', signal, request);
        const createdAt = textOf(reply?.['created_at']);
        return { id: textOf(reply?.['id']) ?? secret, ...(createdAt !== undefined && { createdAt }) };
      },
      has: hasSecret,
      delete: (secret, namespace, signal) =>
        api.delete(`/secrets/${encodeURIComponent(secret)}`, signal, { namespace }),
    },
    async runtimes(signal) {
      return ((await api.list('runtimes', signal)) as readonly Json[]).map(runtimeOf);
    },
  };
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
  const statusText = textOf(fields['status']) ?? 'unknown';
  return given({
    id: String(fields['id']),
    name: textOf(fields['name']),
    status: STATUSES[statusText.toLowerCase()] ?? 'unknown',
    statusText,
    errorMessage: textOf(fields['error_message']),
    namespace: textOf(fields['namespace']),
    runtime: textOf(fields['runtime']),
    template: textOf(fields['template']),
    invokeUrl: textOf(fields['invoke_url']),
    version: textOf(fields['version']),
    codeSha256: textOf(fields['code_sha256']),
    config: object(fields['config']),
    environment: object(fields['environment']) as Record<string, string> | undefined,
    secrets: Array.isArray(fields['secrets']) ? (fields['secrets'] as string[]) : undefined,
    labels: object(fields['labels']) as Record<string, string> | undefined,
    annotations: object(fields['annotations']) as Record<string, string> | undefined,
    createdAt: textOf(fields['created_at']),
    updatedAt: textOf(fields['updated_at']),
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
  const name = textOf(fields['name']) ?? '';
  const known = RUNTIMES.find((one) => one.name === name);
  const list = (value: unknown) => (Array.isArray(value) ? (value as string[]) : []);
  return {
    name,
    title: known?.title ?? name,
    version: textOf(fields['version']) ?? '',
    templates: list(fields['templates']),
    hardware: list(fields['hardware']) as RuntimeInfo['hardware'],
    ...(known?.endOfLife !== undefined && { endOfLife: known.endOfLife }),
  };
}

function object(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}
