/** Instances that are started by pings: several at once, since each that is in flight takes an instance of its own. */
import { FaasError } from '../../core/errors.js';
import type { CallScope } from '../../core/scope.js';

/** @throws {FaasError} CONFIG for anything but a whole number of 1 or more */
export function checkInstances(instances: number, provider: string, functionName: string): void {
  if (Number.isSafeInteger(instances) && instances >= 1) return;
  const message = `${functionName} was not warmed: \`instances\` is ${String(instances)}. Use a whole number of 1 or more.`;
  throw new FaasError({ code: 'CONFIG', executed: 'no', provider, functionName, message });
}

/**
 * Sends `instances` pings together, and resolves to how many instances answered. A ping that fails, as when the cloud
 * throttles it, takes nothing from the others.
 * @param ping resolves to the name of the instance that answered; undefined for an answer that is not from our entry
 * @throws what a ping failed with when no instance is warm, or why the scope was cancelled
 */
export async function countWarm(
  instances: number,
  provider: string,
  scope: CallScope,
  ping: () => Promise<string | undefined>,
): Promise<number> {
  const pings = await Promise.allSettled(Array.from({ length: instances }, ping));
  if (scope.reason !== undefined) throw scope.reason.with({ executed: 'no', provider });
  const names = pings.map((one) => (one.status === 'fulfilled' ? one.value : undefined));
  const warmed = new Set(names.filter((name) => name !== undefined)).size;
  const failed = pings.find((one) => one.status === 'rejected');
  if (warmed === 0 && failed !== undefined) throw failed.reason;
  return warmed;
}
