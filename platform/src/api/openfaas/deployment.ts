/**
 * FunctionDeployment and FunctionStatus of OpenFaaS, as the engine knows functions and back. What runs is the program
 * that `envProcess` names, on this machine or in the code that came along; `image` is kept, and pulled from nowhere.
 */

import { PlatformError } from '../../domain/errors.js';
import { refusalOfEnvName } from '../../domain/function-config.js';
import { isLabel } from '../../domain/function-id.js';
import { parseGoDuration, parseQuantity } from '../../domain/go-values.js';
import type { PlatformLimits } from '../../domain/limits.js';
import type {
  Program,
  Scale,
  WebFunction,
  WebFunctionSpec,
  WebLimits,
  WebStatus,
} from '../../domain/web-function.js';
import { MANAGED_RUNTIMES } from '../../runtimes/managed-runtimes.js';

export type Fields = Readonly<Record<string, unknown>>;
export type Spec = Omit<WebFunctionSpec, 'code'>;

export const MAX_REPLICAS = 100;
const DEFAULT_MEMORY_MB = 512;
/** What OpenFaaS gives a function that names no other time. */
const DEFAULT_TIMEOUT_SECS = 60;
const DEFAULT_MAX_REPLICAS = 5;
const DEFAULT_IDLE_SECS = 15 * 60;
const MIB = 1024 * 1024;
/** Kept as they came and given back, so that what was deployed is what is read. */
const ECHOED = ['image', 'envProcess', 'constraints', 'limits', 'requests', 'readOnlyRootFilesystem'];

/** @throws PlatformError INVALID_CONFIG in the words of OpenFaaS where it has some */
export function nameIn(fields: Fields): string {
  const { service } = fields;
  if (typeof service !== 'string' || service === '') throw invalid('validation failed: service: is required');
  if (!isLabel(service))
    throw invalid(
      `validation failed: service: (${service.slice(0, 80)}) is invalid, must be a valid DNS entry`,
    );
  if (typeof fields['image'] !== 'string' || fields['image'] === '')
    throw invalid('validation failed: image: is required');
  return service;
}

/** @throws PlatformError INVALID_CONFIG */
export function secretsIn(fields: Fields): readonly string[] {
  const secrets = fields['secrets'] ?? [];
  if (!Array.isArray(secrets) || !secrets.every((one) => typeof one === 'string'))
    throw invalid('secrets must be an array of names');
  return [...new Set(secrets as string[])];
}

/** @throws PlatformError INVALID_CONFIG with the field and the reason */
export function specIn(fields: Fields, platform: PlatformLimits): Spec {
  const name = nameIn(fields);
  const env = strings(fields, 'envVars');
  for (const variable of Object.keys(env)) {
    const refusal = refusalOfEnvName(variable);
    if (refusal !== undefined) throw invalid(`envVars.${variable.slice(0, 80)} ${refusal}`);
  }
  const labels = strings(fields, 'labels');
  const given = ECHOED.filter((field) => fields[field] !== undefined && fields[field] !== null);
  return {
    program: programIn(fields),
    limits: limitsIn(fields, env, platform),
    scale: scaleIn(labels),
    env,
    secrets: secretsIn(fields),
    labels: { ...labels, faas_function: name },
    annotations: strings(fields, 'annotations'),
    facts: {
      openfaas: Object.fromEntries(given.map((field) => [field, fields[field]])),
      hasAnnotations: (fields['annotations'] ?? null) !== null,
    },
  };
}

export function isOfThisDoor(fn: WebFunction): boolean {
  return 'openfaas' in fn.facts;
}

/** FunctionStatus; what is zero or empty is absent, and `state` and `reason` are this platform's own. */
export function statusOf(fn: WebFunction, { ready, state, reason }: WebStatus, invocations: number): object {
  const echoed = (fn.facts['openfaas'] ?? { image: '' }) as Fields;
  const { replicas } = fn.scale;
  return {
    name: fn.name,
    image: '',
    namespace: fn.namespace,
    ...echoed,
    ...(Object.keys(fn.env).length > 0 && { envVars: fn.env }),
    ...(fn.secrets.length > 0 && { secrets: fn.secrets }),
    labels: fn.labels,
    annotations: fn.annotations,
    ...(invocations > 0 && { invocationCount: invocations }),
    ...(replicas > 0 && { replicas }),
    ...(ready > 0 && { availableReplicas: ready }),
    createdAt: fn.createdAt,
    state,
    ...(reason !== undefined && { reason }),
  };
}

/** An image that names one of our runtimes is code for its host; any other needs a program to stand in for it. */
function programIn(fields: Fields): Program {
  const image = String(fields['image']);
  const command = fields['envProcess'] ?? '';
  if (typeof command !== 'string') throw invalid('envProcess must be text');
  if (command.trim() !== '') return { kind: 'command', command: command.trim() };
  const language = MANAGED_RUNTIMES.find((one) => one.name === image)?.language;
  if (language !== undefined) return { kind: 'managed', language, handler: 'handle' };
  throw invalid(
    `image: ${image.slice(0, 120)} cannot be run, since this platform drives no container engine. Name a program of ` +
      'this machine, or of the code in code_archive, in envProcess.',
  );
}

/** One knob for the time: `exec_timeout`; what OpenFaaS has beside it must not be shorter, so it changes nothing. */
function limitsIn(
  fields: Fields,
  env: Readonly<Record<string, string>>,
  platform: PlatformLimits,
): WebLimits {
  const { exec_timeout: timeout, max_inflight: inflight } = env;
  const timeoutMs = timeout === undefined ? DEFAULT_TIMEOUT_SECS * 1000 : parseGoDuration(timeout);
  const { max } = platform.timeoutSecs;
  if (timeoutMs === undefined || timeoutMs <= 0 || timeoutMs > max * 1000)
    throw invalid(`envVars.exec_timeout must be a duration such as 30s, above 0 and at most ${max}s`);
  if (inflight !== undefined && !/^\d{1,6}$/.test(inflight))
    throw invalid('envVars.max_inflight must be a whole number');
  const maxInflight = Number(inflight ?? 0);
  return {
    memoryMb: memoryIn(fields, platform),
    timeoutSecs: timeoutMs / 1000,
    ...(maxInflight > 0 && { maxInflight }),
  };
}

function memoryIn(fields: Fields, platform: PlatformLimits): number {
  const limits = fields['limits'] ?? undefined;
  const memory = isObject(limits) ? limits['memory'] : undefined;
  if (memory === undefined || memory === '') return DEFAULT_MEMORY_MB;
  const bytes = typeof memory === 'string' ? parseQuantity(memory) : undefined;
  if (bytes === undefined || bytes <= 0 || bytes > platform.memoryMb.max * MIB)
    throw invalid(`limits.memory must be a quantity such as 128Mi, at most ${platform.memoryMb.max}Mi`);
  return bytes / MIB;
}

function scaleIn(labels: Readonly<Record<string, string>>): Scale {
  const number = (name: string): number | undefined => {
    const value = labels[`com.openfaas.scale.${name}`];
    if (value === undefined) return undefined;
    if (!/^\d{1,5}$/.test(value) || Number(value) > MAX_REPLICAS)
      throw invalid(`labels.com.openfaas.scale.${name} must be a whole number of at most ${MAX_REPLICAS}`);
    return Number(value);
  };
  const min = number('min') ?? 1;
  const max = Math.max(number('max') ?? DEFAULT_MAX_REPLICAS, min);
  const factor = labels['com.openfaas.scale.factor'];
  const duration = labels['com.openfaas.scale.zero-duration'];
  const idleMs = duration === undefined ? DEFAULT_IDLE_SECS * 1000 : parseGoDuration(duration);
  if (idleMs === undefined || idleMs <= 0)
    throw invalid('labels.com.openfaas.scale.zero-duration must be a duration such as 15m');
  return {
    replicas: Math.max(min, 1),
    min,
    max: factor === '0' ? min : max,
    ...(labels['com.openfaas.scale.zero'] === 'true' && { zeroAfterSecs: idleMs / 1000 }),
  };
}

function strings(fields: Fields, name: string): Readonly<Record<string, string>> {
  const value = fields[name] ?? {};
  if (!isObject(value) || !Object.values(value).every((one) => typeof one === 'string'))
    throw invalid(`${name} must be an object of text`);
  return value as Readonly<Record<string, string>>;
}

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(message: string): PlatformError {
  return new PlatformError('INVALID_CONFIG', message);
}
