/** What is different between a function as it is and as it shall be: an equal one must cause no write. */

import { isDeepStrictEqual } from 'node:util';
import type { FunctionConfiguration } from '@aws-sdk/client-lambda';
import type { Configuration, FunctionSpec } from './function-spec.js';

/** The fields to write; undefined when there is nothing to do. */
export function configurationChanges(
  wanted: Configuration,
  current: FunctionConfiguration,
): Partial<Configuration> | undefined {
  const found = normalised(current);
  const changed = Object.entries(wanted).filter(
    ([field, value]) => !isDeepStrictEqual(sorted(value), sorted(found[field as keyof Configuration])),
  );
  return changed.length === 0 ? undefined : Object.fromEntries(changed);
}

export function codeDiffers(spec: FunctionSpec, current: FunctionConfiguration): boolean {
  return (
    current.CodeSha256 !== spec.codeSha256 || (current.Architectures?.[0] ?? 'x86_64') !== spec.architecture
  );
}

/** The current settings in the words of a request, with AWS's defaults where it leaves a field out. */
function normalised(current: FunctionConfiguration): Partial<Record<keyof Configuration, unknown>> {
  const { VpcConfig, Environment } = current;
  return {
    Role: current.Role,
    Runtime: current.Runtime,
    Handler: current.Handler,
    Description: current.Description ?? '',
    Timeout: current.Timeout,
    MemorySize: current.MemorySize,
    // Variables that cannot be decrypted cannot be compared, so they are written anew.
    Environment: Environment?.Error === undefined ? { Variables: Environment?.Variables ?? {} } : undefined,
    VpcConfig: { SubnetIds: VpcConfig?.SubnetIds ?? [], SecurityGroupIds: VpcConfig?.SecurityGroupIds ?? [] },
    DeadLetterConfig: { TargetArn: current.DeadLetterConfig?.TargetArn ?? '' },
    EphemeralStorage: { Size: current.EphemeralStorage?.Size ?? 512 },
    KMSKeyArn: current.KMSKeyArn ?? '',
    Layers: (current.Layers ?? []).map(({ Arn }) => Arn),
    LoggingConfig: { LogFormat: current.LoggingConfig?.LogFormat ?? 'Text' },
    TracingConfig: { Mode: current.TracingConfig?.Mode ?? 'PassThrough' },
  };
}

/** Subnets and security groups are sets; layers are a list whose order counts. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('SubnetIds' in value)) return value;
  const { SubnetIds, SecurityGroupIds } = value as { SubnetIds: string[]; SecurityGroupIds: string[] };
  return { SubnetIds: [...SubnetIds].sort(), SecurityGroupIds: [...SecurityGroupIds].sort() };
}
