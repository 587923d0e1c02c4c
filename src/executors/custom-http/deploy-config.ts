/** What a deploy asks for, checked before anything is sent: honoured by the spec, or refused by name. */
import { FaasError, type FaasErrorCode } from '../../core/errors.js';
import type { Artifact, FunctionConfig, NumberRange, ProviderLimits } from '../../core/executor.js';
import { PROVIDER } from './options.js';

const DEFAULTS: FunctionConfig = { memoryMb: 512, timeoutSecs: 300, env: {} };
const HONOURED: ReadonlySet<string> = new Set<keyof FunctionConfig>([
  'memoryMb',
  'timeoutSecs',
  'env',
  'maxConcurrency',
]);

/**
 * The config with its defaults.
 * @throws {FaasError} UNSUPPORTED for what the spec has no word for, CONFIG for a figure out of range.
 */
export function checkConfig(
  partial: Partial<FunctionConfig>,
  limits: ProviderLimits,
  functionName: string,
): FunctionConfig {
  for (const [field, value] of Object.entries(partial)) {
    if (HONOURED.has(field) || isNothing(value)) continue;
    throw refuse('UNSUPPORTED', functionName, `the custom-FaaS spec has no \`${field}\`. Leave it out`);
  }
  const given = Object.entries(partial).filter(
    ([field, value]) => HONOURED.has(field) && value !== undefined,
  );
  const config: FunctionConfig = { ...DEFAULTS, ...Object.fromEntries(given) };
  checkRange('memoryMb', config.memoryMb, limits.memoryMb, functionName);
  checkRange('timeoutSecs', config.timeoutSecs, limits.timeoutSecs, functionName);
  if (config.maxConcurrency !== undefined) {
    checkRange('maxConcurrency', config.maxConcurrency, limits.maxConcurrency, functionName);
  }
  for (const [name, value] of Object.entries(config.env)) {
    if (typeof value !== 'string') throw refuse('CONFIG', functionName, `\`env.${name}\` must be a string`);
  }
  return config;
}

/** @throws {FaasError} UNSUPPORTED, CONFIG or PAYLOAD_TOO_LARGE. */
export function checkArtifact(artifact: Artifact, limits: ProviderLimits, functionName: string): void {
  const { format, bytes } = artifact;
  if (format !== 'zip')
    throw refuse('UNSUPPORTED', functionName, `the artifact must be a zip, not ${String(format)}`);
  if (bytes.length === 0) throw refuse('CONFIG', functionName, 'the artifact is empty');
  const max = limits.maxArtifactBytes;
  if (max !== undefined && bytes.length > max) {
    throw refuse(
      'PAYLOAD_TOO_LARGE',
      functionName,
      `the artifact has ${bytes.length} bytes, the limit is ${max}`,
    );
  }
}

/** The value of X-Blueprint-Config: one line, always with the two fields that some servers insist on. */
export function blueprintConfig(config: FunctionConfig): string {
  const fields = {
    memory_mb: config.memoryMb,
    timeout_secs: config.timeoutSecs,
    max_concurrency: config.maxConcurrency,
    env_vars: Object.keys(config.env).length > 0 ? config.env : undefined,
  };
  return Buffer.from(JSON.stringify(fields)).toString('base64');
}

function checkRange(
  field: string,
  value: number,
  range: NumberRange | undefined,
  functionName: string,
): void {
  const { min, max, step } = range ?? { min: 1, max: Number.MAX_SAFE_INTEGER };
  const onStep = step === undefined || (value - min) % step === 0;
  if (Number.isInteger(value) && value >= min && value <= max && onStep) return;
  const steps = step === undefined ? '' : ` in steps of ${step}`;
  throw refuse(
    'CONFIG',
    functionName,
    `\`${field}\` is ${String(value)}: use an integer from ${min} to ${max}${steps}`,
  );
}

/** Asking for nothing can always be honoured. */
function isNothing(value: unknown): boolean {
  if (value === undefined || value === 0) return true;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

function refuse(code: FaasErrorCode, functionName: string, why: string): FaasError {
  const message = `${functionName} was not deployed: ${why}.`;
  return new FaasError({ code, executed: 'no', provider: PROVIDER, functionName, message });
}
