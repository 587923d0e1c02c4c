/** What a deploy is going to do, in words: read from the provider, written nowhere. */
import {
  type AnyJob,
  type Artifact,
  type Deployment,
  FaasError,
  type FaasExecutor,
  type FunctionConfig,
} from '../index.js';
import { formatBytes } from './report.js';

export interface DeployPlan {
  readonly jobId: number;
  readonly name: string;
  readonly provider: string;
  /** `unknown`: the provider did not let us look. */
  readonly action: 'create' | 'update' | 'unchanged' | 'unknown';
  /** What differs from what is there. */
  readonly changes: readonly string[];
  readonly artifact: { readonly bytes: number; readonly sha256: string };
  readonly text: string;
}

/** @throws {FaasError} for a provider that cannot be asked, unless it only refuses to say */
export async function planDeploy(
  executor: FaasExecutor,
  job: AnyJob,
  artifact: Artifact,
  config: Partial<FunctionConfig>,
  signal: AbortSignal,
): Promise<DeployPlan> {
  const facts = {
    jobId: job.id,
    name: job.name,
    provider: executor.provider,
    artifact: { bytes: artifact.bytes.length, sha256: artifact.sha256 },
  };
  const what = `${job.name} (job ${job.id}) on ${executor.provider}`;
  const content = `${formatBytes(artifact.bytes.length)}, sha256 ${artifact.sha256.slice(0, 12)}${settings(config)}`;
  const plan = (action: DeployPlan['action'], changes: readonly string[], text: string) => ({
    ...facts,
    action,
    changes,
    text,
  });
  const current = await executor.getDeployment(job.id, signal).catch((failure: unknown) => {
    if (FaasError.is(failure) && failure.code === 'AUTH') return failure;
    throw failure;
  });
  if (FaasError.is(current)) {
    return plan('unknown', [], `? ${what}: cannot look at what is there: ${current.message}`);
  }
  if (current === undefined) return plan('create', [], `+ create ${what}: ${content}`);
  const changes = differences(current, artifact, config);
  return changes.length === 0
    ? plan('unchanged', [], `= ${what} is there with the same content: ${content}`)
    : plan('update', changes, `~ update ${what}: ${changes.join(', ')}`);
}

function settings({ memoryMb, timeoutSecs, env }: Partial<FunctionConfig>): string {
  const names = Object.keys(env ?? {});
  return [
    ...(memoryMb === undefined ? [] : [`, ${memoryMb} MB`]),
    ...(timeoutSecs === undefined ? [] : [`, ${timeoutSecs} s`]),
    // Names only: values may be secret.
    ...(names.length === 0 ? [] : [`, environment ${names.join(' ')}`]),
  ].join('');
}

/** Only what the provider reports and the caller states can be compared. */
function differences(current: Deployment, artifact: Artifact, config: Partial<FunctionConfig>): string[] {
  const changes: string[] = [];
  if (current.sha256 === undefined) changes.push('code (the provider does not say what it has)');
  else if (current.sha256 !== artifact.sha256) {
    changes.push(`code ${current.sha256.slice(0, 12)} -> ${artifact.sha256.slice(0, 12)}`);
  }
  for (const key of ['memoryMb', 'timeoutSecs', 'maxConcurrency'] as const) {
    const [now, wanted] = [current[key], config[key]];
    if (wanted !== undefined && now !== undefined && now !== wanted)
      changes.push(`${key} ${now} -> ${wanted}`);
  }
  return changes;
}
