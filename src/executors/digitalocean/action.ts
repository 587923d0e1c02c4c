/** What a deploy asks OpenWhisk for, checked before anything is created: honoured, or refused by name. */
import { createHash } from 'node:crypto';
import type { Artifact } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { ConfigCheck, sorted } from '../shared/config-check.js';
import { type Fields, isObject } from '../shared/json.js';
import { indexZip } from '../shared/zip-index.js';
import {
  type DigitalOceanFunctionConfig,
  FUNCTION_OPTION_NAMES,
  functionNameOf,
  PROVIDER,
  type Settings,
} from './options.js';

/** Annotations by which a function of ours is known, and by which a second deploy of the same is seen. */
export const JOB_ID = 'jobferry-job-id';
const DIGEST = 'jobferry-digest';
export const CODE_SHA256 = 'jobferry-code-sha256';
const CODE_BYTES = 'jobferry-code-bytes';
/** The function answers warm pings without running the job. */
const ENTRY = 'jobferry-entry';

/** A file in the packages whose entry is ours. */
const ENTRY_MARK = 'jobferry-digitalocean.json';

interface ActionBody {
  readonly exec: Fields;
  readonly limits: Fields;
  readonly parameters: readonly Fields[];
  readonly annotations: readonly { readonly key: string; readonly value: string | number }[];
}

export interface Action {
  readonly jobId: JobId;
  readonly functionName: string;
  readonly body: ActionBody;
  readonly keepWarm: boolean;
}

const FIELDS: ReadonlySet<string> = new Set<keyof DigitalOceanFunctionConfig>([
  'memoryMb',
  'timeoutSecs',
  'env',
  'keepWarm',
  'labels',
  'digitalocean',
]);

/** @throws {FaasError} UNSUPPORTED, CONFIG or PAYLOAD_TOO_LARGE, with the name of the field. */
export function actionOf(
  settings: Settings,
  jobId: JobId,
  artifact: Artifact,
  partial: Partial<DigitalOceanFunctionConfig>,
): Action {
  const functionName = functionNameOf(settings, jobId);
  const check = new ConfigCheck(PROVIDER, functionName);
  check.known(partial, FIELDS, 'DigitalOcean');
  check.known(partial.digitalocean ?? {}, FUNCTION_OPTION_NAMES, 'the option `digitalocean`');
  const { memoryMb = 512, timeoutSecs = 300, env = {}, keepWarm = 0, labels = {} } = partial;
  check.inRange('memoryMb', memoryMb, settings.limits.memoryMb);
  check.inRange('timeoutSecs', timeoutSecs, settings.limits.timeoutSecs);
  if (keepWarm !== 0 && keepWarm !== 1) {
    check.refuse(
      'CONFIG',
      '`keepWarm` is 0 or 1: DigitalOcean keeps no instances, and a scheduled ping keeps one warm',
    );
  }
  if (keepWarm === 1 && (settings.token === undefined || settings.apiHost !== undefined)) {
    check.refuse(
      'CONFIG',
      '`keepWarm` needs the executor options `token` and `region`, without `apiHost`: it is a trigger of the account',
    );
  }
  check.size(artifact, settings.limits.maxArtifactBytes);
  check.environment('env', env, (name) => name.startsWith('__OW_'));
  for (const [name, value] of Object.entries(labels)) {
    if (typeof value !== 'string') check.refuse('CONFIG', `\`labels.${name}\` must be a string`);
  }
  const { kind = 'nodejs:18', main = 'main' } = { ...settings.digitalocean, ...partial.digitalocean };
  const isEntry = main === 'main' && indexZip(artifact.bytes).names.has(ENTRY_MARK);
  if (keepWarm === 1 && !isEntry) {
    // A ping would be an event like any other to it: it would run the code, each minute.
    check.refuse(
      'UNSUPPORTED',
      '`keepWarm` needs a package that knows warm pings. Package it for the target digitalocean',
    );
  }
  const described = {
    exec: { kind, main, binary: true },
    limits: { memory: memoryMb, timeout: timeoutSecs * 1000 },
    // With `init` a parameter becomes an environment variable: DigitalOcean's own addition to OpenWhisk, from its
    // documentation and not tried there.
    parameters: sorted(env).map(([key, value]) => ({ key, value, init: true })),
    labels: sorted(labels),
    code: artifact.sha256,
    isEntry,
  };
  const digest = createHash('sha256').update(JSON.stringify(described)).digest('hex');
  const annotations = [
    { key: JOB_ID, value: String(jobId) },
    { key: CODE_SHA256, value: artifact.sha256 },
    { key: CODE_BYTES, value: artifact.bytes.length },
    { key: DIGEST, value: digest },
    ...(isEntry ? [{ key: ENTRY, value: '1' }] : []),
    ...described.labels.map(([key, value]) => ({ key: `label-${key}`, value })),
  ];
  const { exec, limits, parameters } = described;
  const code = Buffer.from(artifact.bytes).toString('base64');
  return {
    jobId,
    functionName,
    keepWarm: keepWarm === 1,
    body: { exec: { ...exec, code }, limits, parameters, annotations },
  };
}

/**
 * Does the function that is there equal what is asked for? The digest tells what was deployed, the rest what somebody
 * has changed since, as far as the API says it. Annotations of others do not count.
 */
export function isSame(current: Fields, { body: wanted }: Action): boolean {
  const { exec, limits, parameters } = current;
  return (
    wanted.annotations.every(({ key, value }) => annotation(current, key) === value) &&
    agrees(exec, 'main', wanted.exec) &&
    // OpenWhisk answers with the kind that `nodejs:default` stands for now.
    (String(wanted.exec['kind']).endsWith(':default') || agrees(exec, 'kind', wanted.exec)) &&
    agrees(limits, 'memory', wanted.limits) &&
    agrees(limits, 'timeout', wanted.limits) &&
    (!Array.isArray(parameters) || byKey(parameters) === byKey(wanted.parameters))
  );
}

/** What the API leaves out is not known to differ. */
function agrees(current: unknown, field: string, wanted: Fields): boolean {
  const value = isObject(current) ? current[field] : undefined;
  return value === undefined || value === wanted[field];
}

/** Whether `init` comes back is not known. */
function byKey(parameters: readonly unknown[]): string {
  const pairs = parameters.filter(isObject).map(({ key, value }) => JSON.stringify([key, value]));
  return pairs.sort().join();
}

/** Was it deployed with an entry of ours? Any other code would take a ping for a call. */
export function answersPings(current: Fields): boolean {
  return annotation(current, ENTRY) === '1';
}

export function annotation(current: Fields, key: string): unknown {
  const list = current['annotations'];
  const found = (Array.isArray(list) ? list : []).find((one) => isObject(one) && one['key'] === key);
  return isObject(found) ? found['value'] : undefined;
}

export function codeBytes(current: Fields): number | undefined {
  const bytes = annotation(current, CODE_BYTES);
  return typeof bytes === 'number' ? bytes : undefined;
}
