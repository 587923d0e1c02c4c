/** Declarations -> desired resources with every default filled in. Pure: code hashes and secrets come from outside. */
import { createHash, createHmac } from 'node:crypto';
import { DEFAULT_SCALE } from './config-rules.js';
import type {
  Address,
  Declarations,
  Desired,
  DesiredConfig,
  DesiredFunction,
  DesiredSecret,
  FunctionConfigDeclaration,
  FunctionDeclaration,
  SecretDeclaration,
} from './model.js';
import { runtimeNamed } from './runtimes.js';

/** What was read beside the file itself. */
export interface Inputs {
  /** Address -> SHA-256 of the content of its code. */
  readonly codeSha256: ReadonlyMap<Address, string>;
  /** Address -> value. */
  readonly secretValues: ReadonlyMap<Address, string>;
  /** Key of the state: hashes of secrets mean nothing without it. */
  readonly secretKey: string;
}

export const DEFAULT_PROVIDER = 'custom-http';

/** @param declarations for which `validate` found no error; what is left empty in YAML is null, and as good as left out */
export function resolveDeclarations(declarations: Declarations, inputs: Inputs): Desired[] {
  const { functions, secrets, provider = DEFAULT_PROVIDER } = declarations;
  return [
    ...Object.entries(secrets ?? {}).map(([key, one]) => resolveSecret(key, one, provider, inputs)),
    ...Object.entries(functions ?? {}).map(([key, one]) => resolveFunction(key, one, provider, inputs)),
  ];
}

function resolveFunction(
  key: string,
  declaration: FunctionDeclaration,
  provider: string,
  { codeSha256 }: Inputs,
): DesiredFunction {
  const address: Address = `function.${key}`;
  const runtime = runtimeNamed(declaration.runtime);
  return {
    type: 'function',
    address,
    provider: declaration.provider ?? provider,
    name: declaration.name ?? key,
    namespace: declaration.namespace,
    runtime: runtime?.name ?? declaration.runtime,
    template: declaration.template ?? runtime?.templates[0] ?? 'http',
    image: declaration.image,
    handler_function: declaration.handler_function ?? 'handle',
    requirements: declaration.requirements,
    code_sha256: codeSha256.get(address),
    config: resolveConfig(declaration.config ?? {}),
    environment: sorted(declaration.environment),
    secrets: [...new Set(declaration.secrets ?? [])].sort(),
    labels: sorted(declaration.labels),
    annotations: sorted(declaration.annotations),
    job_id: declaration.job_id,
  };
}

/** So that the order in a file means nothing, not even to a saved plan. */
function sorted(fields: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(fields ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Replicas are a fixed count; where a scale is given, it wins. */
function resolveConfig(config: FunctionConfigDeclaration): DesiredConfig {
  const isScaled = config.min_scale !== undefined || config.max_scale !== undefined;
  return {
    memory_mb: config.memory_mb ?? 128,
    timeout_seconds: config.timeout_seconds ?? 30,
    replicas: isScaled ? undefined : (config.replicas ?? 1),
    hardware_type: config.hardware_type ?? 'cpu',
    min_scale: isScaled ? (config.min_scale ?? DEFAULT_SCALE.min) : undefined,
    max_scale: isScaled ? (config.max_scale ?? DEFAULT_SCALE.max) : undefined,
  };
}

function resolveSecret(
  key: string,
  declaration: SecretDeclaration,
  provider: string,
  { secretValues, secretKey }: Inputs,
): DesiredSecret {
  const address: Address = `secret.${key}`;
  return {
    type: 'secret',
    address,
    provider: declaration.provider ?? provider,
    name: declaration.name ?? key,
    namespace: declaration.namespace,
    value_hash: hashSecret(secretValues.get(address) ?? '', secretKey),
  };
}

/** Keyed, so that a state that is read by others gives no way to try out values. */
export function hashSecret(value: string, key: string): string {
  return createHmac('sha256', key).update(value).digest('hex');
}

/** The job id of a function that names none: the same on every machine. */
export function jobIdOf({
  job_id: jobId,
  name,
  namespace,
}: Pick<DesiredFunction, 'job_id' | 'name' | 'namespace'>): number {
  if (jobId !== undefined) return jobId;
  return createHash('sha256')
    .update(`${namespace ?? ''}/${name}`)
    .digest()
    .readUInt32BE(0);
}
