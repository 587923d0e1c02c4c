/** The scale of a gpu function: as with `replicas`, it is not replicated. Pure. */
import { DEFAULT_SCALE } from './config-rules.js';
import type { Fault } from './fault.js';

/** @returns faults with paths from `config` on */
export function gpuScaleFaults({
  hardware_type: hardware,
  min_scale: min,
  max_scale: max,
}: Readonly<Record<string, unknown>>): Fault[] {
  if (hardware !== 'gpu') return [];
  const message = 'is more than 1 on gpu';
  const faults: Fault[] = [];
  if (Number(min) > 1) faults.push({ path: ['min_scale'], message, fix: 'Use 0 or 1.' });
  if (Number(max) > 1) faults.push({ path: ['max_scale'], message, fix: 'Use 1.' });
  if (min !== undefined && max === undefined) {
    const toFive = `goes up to a \`max_scale\` of ${DEFAULT_SCALE.max} by default, and to 1 on gpu`;
    faults.push({ path: ['min_scale'], message: toFive, fix: 'Add `max_scale: 1`.' });
  }
  return faults;
}
