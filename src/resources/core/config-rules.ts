/** The rules of `config`: ranges, hardware, scale. */
import { type Fault, quoted } from './fault.js';
import type { RuntimeInfo } from './runtimes.js';

/** Field -> smallest and largest value. Source: the table of arguments of E2E's design documents. */
export const CONFIG_RANGES: Readonly<Record<string, readonly [number, number]>> = {
  memory_mb: [64, 8192],
  timeout_seconds: [1, 900],
  replicas: [1, 5],
  min_scale: [0, 100],
  max_scale: [1, 100],
};
/** Of what a scale leaves out. */
export const DEFAULT_SCALE = { min: 1, max: 5 };
export const CONFIG_FIELDS = [...Object.keys(CONFIG_RANGES), 'hardware_type'];

/** @returns faults with paths from `config` on */
export function configFaults(
  fields: Readonly<Record<string, unknown>>,
  runtime: RuntimeInfo | undefined,
): Fault[] {
  const faults: Fault[] = [];
  const fault = (field: string, message: string, fix: string) => faults.push({ path: [field], message, fix });
  for (const [field, [least, most]] of Object.entries(CONFIG_RANGES)) {
    const number = fields[field];
    if (number === undefined) continue;
    if (Number.isInteger(number) && Number(number) >= least && Number(number) <= most) continue;
    fault(field, `is ${quoted(number)}`, `Use an integer from ${least} to ${most}.`);
  }
  const { hardware_type: hardware = 'cpu', replicas, min_scale: min, max_scale: max } = fields;
  if (hardware !== 'cpu' && hardware !== 'gpu') {
    fault('hardware_type', `${quoted(hardware)} is no hardware`, 'Use cpu or gpu.');
  } else if (runtime !== undefined && !runtime.hardware.includes(hardware)) {
    const fix = `Use ${runtime.hardware.join(' or ')}.`;
    fault('hardware_type', `${runtime.name} does not run on ${hardware}`, fix);
  }
  if (hardware === 'gpu' && typeof replicas === 'number' && replicas > 1) {
    fault('replicas', 'is more than 1 on gpu', 'Use 1: only cpu functions are replicated.');
  }
  const most = max ?? DEFAULT_SCALE.max;
  if (typeof min === 'number' && typeof most === 'number' && min > most) {
    fault('min_scale', `is more than \`max_scale\` (${most})`, 'Lower it, or raise `max_scale`.');
  }
  return faults;
}
