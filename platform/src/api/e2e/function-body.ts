/** What a body of the E2E door says of a function, as the engine knows functions. */

import { PlatformError } from '../../domain/errors.js';
import { isLabel } from '../../domain/function-id.js';
import type { Program, WebFunctionSpec } from '../../domain/web-function.js';
import type { RuntimeOffer } from '../../runtimes/managed-runtimes.js';
import * as body from './body.js';

export type Spec = Omit<WebFunctionSpec, 'code'>;

/** Of the documents: 64-8192 MB, 1-900 s, 1-5 replicas; 0 replicas is the idle function. */
const MEMORY_MB = { min: 64, max: 8192 };
const TIMEOUT_SECS = { min: 1, max: 900 };
const REPLICAS = { min: 0, max: 5 };
const SCALE = { min: 0, max: 100 };
/** Without a request for so long, a function whose `min_scale` is 0 is `Idle`. */
const IDLE_SECS = 15 * 60;
const HANDLER = /^[A-Za-z_][A-Za-z0-9_]{0,99}$/;
/** Made anew when they change, so no update takes them. */
export const FIXED = ['name', 'namespace', 'runtime', 'template'];
export const CODE = [
  'code_archive',
  'code_inline',
  'code_sha256',
  'handler_function',
  'requirements',
  'image',
];
export const CONFIG = ['memory_mb', 'timeout_seconds', 'replicas', 'hardware_type', 'min_scale', 'max_scale'];
export const ENVIRONMENT = ['environment', 'secrets'];
export const METADATA = ['labels', 'annotations'];

/** What the door keeps for its replies. */
export interface E2eFacts {
  readonly runtime: string;
  readonly template: string;
  readonly handler_function: string;
  readonly hardware_type: string;
  readonly code_sha256?: string;
  readonly min_scale?: number;
  readonly max_scale?: number;
}

export function factsOf({ facts }: Pick<Spec, 'facts'>): E2eFacts {
  return facts as unknown as E2eFacts;
}

/** @throws PlatformError INVALID_CONFIG */
export function requireName(fields: body.Fields): string {
  const name = body.requiredText(fields, 'name');
  if (isLabel(name) && name.length >= 3) return name;
  throw body.invalid(
    'name',
    'must be 3 to 63 characters of a-z, 0-9 and "-", and must not start or end with "-"',
  );
}

/** @throws PlatformError INVALID_CONFIG */
export function namespaceOf(fields: body.Fields, fallback: string): string {
  const namespace = body.text(fields, 'namespace') ?? fallback;
  if (isLabel(namespace)) return namespace;
  throw body.invalid('namespace', 'must be 1 to 63 characters of a-z, 0-9 and "-"');
}

/** @throws PlatformError INVALID_CONFIG also for a runtime that this machine cannot run */
export function newSpec(fields: body.Fields, offers: readonly RuntimeOffer[]): Spec {
  const runtime = requireRuntime(body.requiredText(fields, 'runtime'), offers);
  const template = body.text(fields, 'template') ?? runtime.templates[0] ?? 'http';
  if (!runtime.templates.includes(template))
    throw body.invalid('template', `must be one of ${runtime.templates.join(', ')} with ${runtime.name}`);
  const blank: Spec = {
    program: { kind: 'managed', language: runtime.language ?? 'node', handler: 'handle' },
    limits: { memoryMb: 128, timeoutSecs: 30 },
    scale: { replicas: 1, min: 1, max: 1 },
    env: {},
    secrets: [],
    labels: {},
    annotations: {},
    facts: { runtime: runtime.name, template, handler_function: 'handle', hardware_type: 'cpu' },
  };
  const { hardware_type: hardware } = { ...body.object(fields, 'config') };
  if (hardware === 'gpu') throw body.invalid('config.hardware_type', 'cannot be gpu: this platform has none');
  const config = body.object(fields, 'config');
  return withMetadata(withEnvironment(withConfig(blank, config ?? {}, 'config.'), fields), fields);
}

/**
 * @param sha256 of the code that came along; its owner may give a hash of the sources instead, which is kept as it is
 * @throws PlatformError INVALID_CONFIG
 */
export function withCode(spec: Spec, fields: body.Fields, sha256?: string): Spec {
  const handler = body.text(fields, 'handler_function') ?? factsOf(spec).handler_function;
  if (!HANDLER.test(handler)) throw body.invalid('handler_function', 'must be the name of a function');
  refuseRequirements(body.text(fields, 'requirements'));
  if (body.text(fields, 'image') !== undefined)
    throw body.invalid('image', 'cannot be run: this platform drives no container engine');
  const program: Program = spec.program.kind === 'managed' ? { ...spec.program, handler } : spec.program;
  const named = body.text(fields, 'code_sha256');
  if (named !== undefined && sha256 === undefined && named !== factsOf(spec).code_sha256)
    throw body.invalid('code_sha256', 'must come with the code it names');
  const given = named ?? sha256;
  const facts = {
    ...spec.facts,
    handler_function: handler,
    ...(given !== undefined && { code_sha256: given }),
  };
  return { ...spec, program, facts };
}

/** Fields that are not there stay as they are. */
export function withConfig(spec: Spec, config: body.Fields, where = ''): Spec {
  body.refuseUnknown(config, CONFIG, where);
  const { limits, scale } = spec;
  const hardware = body.text(config, 'hardware_type');
  if (hardware !== undefined && hardware !== factsOf(spec).hardware_type)
    throw body.invalid(`${where}hardware_type`, 'cannot be changed, and must be cpu here');
  const min = body.wholeNumber(config, 'min_scale', SCALE, where) ?? factsOf(spec).min_scale;
  const max = body.wholeNumber(config, 'max_scale', { ...SCALE, min: 1 }, where) ?? factsOf(spec).max_scale;
  if ((min ?? 0) > (max ?? SCALE.max)) throw body.invalid(`${where}min_scale`, 'must not be above max_scale');
  const asked = body.wholeNumber(config, 'replicas', REPLICAS, where) ?? scale.replicas;
  // A scale of its owner's wins over a fixed number.
  const isScaled = min !== undefined || max !== undefined;
  const range = isScaled ? { min: min ?? 1, max: Math.max(max ?? 5, min ?? 1) } : { min: asked, max: asked };
  // Whoever allows none gets none after a while.
  const idle = min === 0 ? { zeroAfterSecs: IDLE_SECS } : {};
  return {
    ...spec,
    limits: {
      ...limits,
      memoryMb: body.wholeNumber(config, 'memory_mb', MEMORY_MB, where) ?? limits.memoryMb,
      timeoutSecs: body.wholeNumber(config, 'timeout_seconds', TIMEOUT_SECS, where) ?? limits.timeoutSecs,
    },
    scale: { ...range, ...idle, replicas: Math.min(Math.max(asked, range.min), range.max) },
    facts: {
      ...spec.facts,
      ...(min !== undefined && { min_scale: min }),
      ...(max !== undefined && { max_scale: max }),
    },
  };
}

export function withEnvironment(spec: Spec, fields: body.Fields): Spec {
  const env = body.environment(fields, 'environment') ?? spec.env;
  return { ...spec, env, secrets: body.names(fields, 'secrets') ?? spec.secrets };
}

export function withMetadata(spec: Spec, fields: body.Fields): Spec {
  const labels = body.texts(fields, 'labels') ?? spec.labels;
  return { ...spec, labels, annotations: body.texts(fields, 'annotations') ?? spec.annotations };
}

/** @throws PlatformError INVALID_CONFIG */
export function requireReplicas(fields: body.Fields): number {
  const replicas = body.wholeNumber(fields, 'replicas', REPLICAS);
  if (replicas === undefined) throw body.invalid('replicas', 'is missing');
  return replicas;
}

function requireRuntime(name: string, offers: readonly RuntimeOffer[]): RuntimeOffer {
  const found = offers.find((one) => one.name === name);
  if (found === undefined)
    throw body.invalid('runtime', `must be one of ${offers.map((one) => one.name).join(', ')}`);
  if (found.available) return found;
  throw new PlatformError('INVALID_CONFIG', `runtime ${name} cannot be run here: ${found.reason}.`, {
    details: { field: 'runtime', reason: found.reason },
  });
}

/** Nothing is downloaded behind its owner's back: what a function needs comes with its code. */
function refuseRequirements(requirements: string | undefined): void {
  const lines = (requirements ?? '').split('\n').filter((line) => !/^\s*(#.*)?$/.test(line));
  if (lines.length > 0)
    throw body.invalid(
      'requirements',
      'are not installed by this platform; put the packages into the code archive',
    );
}
