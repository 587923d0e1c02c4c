/** Which attributes differ, and what each difference means. Pure. */
import type { DesiredFunction, DesiredSecret } from './model.js';
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
  for (const field of ['name', 'namespace', 'runtime', 'template', 'job_id'] as const) {
    compare(field, prior[field], desired[field], 'replace');
  }
  compare('config.hardware_type', prior.config.hardware_type, desired.config.hardware_type, 'replace');
  for (const field of ['code_sha256', 'image', 'handler_function', 'requirements'] as const) {
    compare(field, prior[field], desired[field], 'code');
  }
  for (const field of ['memory_mb', 'timeout_seconds', 'replicas', 'min_scale', 'max_scale'] as const) {
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

/** By value: null and undefined are the same, since JSON knows only one of them. */
export function isSame(a: unknown, b: unknown): boolean {
  if (a === b || (a ?? null) === (b ?? null)) return true;
  if (!Array.isArray(a) || !Array.isArray(b)) return false;
  return a.length === b.length && a.every((value, index) => isSame(value, b[index]));
}
