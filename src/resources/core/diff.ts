/** Which attributes differ, and what each difference means. Pure. */
import { isByJobId } from './identity.js';
import type { DesiredConfig, DesiredFunction, DesiredSecret } from './model.js';
import type { FunctionAttributes, SecretAttributes } from './state.js';

/** What is sent together in one update, in the order in which updates are sent. */
export const UPDATE_GROUPS = ['code', 'config', 'environment', 'metadata', 'value'] as const;
export type UpdateGroup = (typeof UPDATE_GROUPS)[number];

export interface Change {
  /** `config.memory_mb`, `environment.LEVEL`, … */
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
  /** Values are not for people's eyes. */
  readonly sensitive?: true;
  /** The group that an update sends, or that no update can do it. */
  readonly needs: UpdateGroup | 'replace';
}

/** A value that is not given leaves the provider's own. */
const NAMED_ELSEWHERE: ReadonlySet<string> = new Set(['namespace', 'job_id']);

export function functionChanges(prior: FunctionAttributes, desired: DesiredFunction): Change[] {
  const changes: Change[] = [];
  const compare = (path: string, before: unknown, after: unknown, needs: Change['needs']) => {
    if (after === undefined && NAMED_ELSEWHERE.has(path)) return;
    if (!isSame(before, after)) changes.push({ path, before, after, needs });
  };
  const byJobId = isByJobId(prior);
  const isRenamed = byJobId && desired.job_id !== undefined && desired.job_id === prior.job_id;
  if (!isRenamed) compare('name', prior.name, desired.name, 'replace');
  compare('namespace', prior.namespace, desired.namespace, 'replace');
  // Each deploy of an executor sends the whole.
  for (const field of ['runtime', 'template'] as const) {
    compare(field, prior[field], desired[field], byJobId ? 'code' : 'replace');
  }
  // Elsewhere a job id means nothing.
  if (byJobId) compare('job_id', prior.job_id, desired.job_id, 'replace');
  compare('config.hardware_type', prior.config.hardware_type, desired.config.hardware_type, 'replace');
  for (const field of ['code_sha256', 'image', 'handler_function', 'requirements'] as const) {
    compare(field, prior[field], desired[field], 'code');
  }
  for (const field of [
    'memory_mb',
    'timeout_seconds',
    ...scaleFields(prior.config, desired.config),
  ] as const) {
    compare(`config.${field}`, prior.config[field], desired.config[field], 'config');
  }
  changes.push(...mapChanges('environment', prior.environment, desired.environment, 'environment'));
  compare('secrets', [...prior.secrets].sort(), desired.secrets, 'environment');
  changes.push(...mapChanges('labels', prior.labels, desired.labels, 'metadata'));
  changes.push(...mapChanges('annotations', prior.annotations, desired.annotations, 'metadata'));
  return changes;
}

export function secretChanges(prior: SecretAttributes, desired: DesiredSecret): Change[] {
  const changes: Change[] = [];
  if (prior.name !== desired.name) {
    changes.push({ path: 'name', before: prior.name, after: desired.name, needs: 'replace' });
  }
  if (desired.namespace !== undefined && prior.namespace !== desired.namespace) {
    changes.push({ path: 'namespace', before: prior.namespace, after: desired.namespace, needs: 'replace' });
  }
  if (prior.value_hash !== desired.value_hash) {
    changes.push({
      path: 'value',
      before: prior.value_hash,
      after: desired.value_hash,
      sensitive: true,
      needs: 'value',
    });
  }
  return changes;
}

function mapChanges(
  name: string,
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
  needs: UpdateGroup,
): Change[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return keys
    .filter((key) => before[key] !== after[key])
    .map((key) => ({ path: `${name}.${key}`, before: before[key], after: after[key], needs }));
}

/**
 * A fixed count is a range of one number, and providers say it either way. Where there is a real range, how many run within
 * it is the provider's own matter.
 */
function scaleFields(
  before: DesiredConfig,
  after: DesiredConfig,
): readonly ('replicas' | 'min_scale' | 'max_scale')[] {
  if (isSame(rangeOf(before), rangeOf(after))) return [];
  const isScaled = after.min_scale !== undefined || after.max_scale !== undefined;
  return isScaled ? ['min_scale', 'max_scale'] : ['replicas', 'min_scale', 'max_scale'];
}

function rangeOf({ replicas, min_scale: min, max_scale: max }: DesiredConfig): (number | undefined)[] {
  return min === undefined && max === undefined ? [replicas, replicas] : [min, max];
}

/** By value: null and undefined are the same, since JSON knows only one of them. */
export function isSame(a: unknown, b: unknown): boolean {
  if (a === b || (a ?? null) === (b ?? null)) return true;
  if (!Array.isArray(a) || !Array.isArray(b)) return false;
  return a.length === b.length && a.every((value, index) => isSame(value, b[index]));
}
