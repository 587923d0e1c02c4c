/** What cannot be honoured is refused at deploy, by name. */
import { FaasError } from '../../core/errors.js';
import type { Artifact, FunctionConfig, ProviderLimits } from '../../core/executor.js';

/**
 * @throws {FaasError} UNSUPPORTED for a field the process cannot honour, INVALID_REQUEST for a figure outside the
 * limits, PAYLOAD_TOO_LARGE for the artifact.
 */
export function checkConfig(
  config: Partial<FunctionConfig>,
  artifact: Artifact,
  limits: ProviderLimits,
  provider: string,
): void {
  const refuse = (code: 'UNSUPPORTED' | 'INVALID_REQUEST' | 'PAYLOAD_TOO_LARGE', message: string): never => {
    throw new FaasError({ code, executed: 'no', provider, message });
  };
  for (const field of ['env', 'secrets', 'labels'] as const) {
    if (Object.keys(config[field] ?? {}).length > 0) {
      refuse(
        'UNSUPPORTED',
        `${field} is not supported by ${provider}: functions run in this process. Leave it out.`,
      );
    }
  }
  for (const field of ['memoryMb', 'timeoutSecs', 'maxConcurrency'] as const) {
    const value = config[field];
    if (value === undefined) continue;
    const { min, max, step = 1 } = limits[field] ?? { min: 1, max: Infinity };
    if (Number.isInteger(value) && value >= min && value <= max && (value - min) % step === 0) continue;
    const steps = step === 1 ? '' : ` in steps of ${step}`;
    refuse(
      'INVALID_REQUEST',
      `${field} must be an integer from ${min} to ${max}${steps} on ${provider}, not ${value}.`,
    );
  }
  const { maxArtifactBytes = Infinity } = limits;
  if (artifact.bytes.length > maxArtifactBytes) {
    refuse(
      'PAYLOAD_TOO_LARGE',
      `The artifact has ${artifact.bytes.length} bytes, the limit is ${maxArtifactBytes}.`,
    );
  }
}
