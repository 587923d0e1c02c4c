/** Any executor as a provider: a function is a deployed job. */
import { FaasError } from '../../core/errors.js';
import type { Artifact, Deployment, FaasExecutor, FunctionConfig, NumberRange } from '../../core/executor.js';
import type { Endpoint } from '../core/endpoints.js';
import type { DesiredFunction } from '../core/model.js';
import { jobIdOf } from '../core/resolve.js';
import { ANY_NODE } from '../core/runtimes.js';
import type { Code, RemoteFunction, ResourceProvider } from '../provider.js';

export interface LifecycleProviderOptions {
  /** As files name it. */
  readonly name: string;
  readonly executor: FaasExecutor;
  /** Where it is, when the environment says so by one variable. */
  readonly endpoint?: Endpoint;
  /** Code -> what the executor deploys. Only Node.js handlers can be packaged here. */
  readonly pack: (desired: DesiredFunction, code: Code) => Promise<Artifact>;
  /** What every function of this provider is deployed with, beside what files say: a project, a role. */
  readonly config?: Partial<FunctionConfig>;
  /** Does the provider take `labels`? Default false. */
  readonly labels?: boolean;
}

const NODE = /^node[\d.]/;

/** The id of a function is its job id. Secrets are references of the provider's own, and not managed here. */
export function lifecycleProvider({
  name,
  executor,
  endpoint,
  pack,
  config: common = {},
  labels = false,
}: LifecycleProviderOptions): ResourceProvider {
  const { limits } = executor;

  const deploy = async (
    desired: DesiredFunction,
    code: Code | undefined,
    signal: AbortSignal,
    jobId: number,
  ): Promise<void> => {
    if (code === undefined) throw problem(name, `${desired.address} has no code that could be deployed`);
    const config: Partial<FunctionConfig> = {
      ...common,
      memoryMb: desired.config.memory_mb,
      timeoutSecs: desired.config.timeout_seconds,
      env: { ...common.env, ...desired.environment },
      ...(labels && { labels: { ...common.labels, ...desired.labels } }),
    };
    await executor.deployJob(jobId, await pack(desired, code), config, signal);
  };

  const read = async (id: string, signal: AbortSignal): Promise<RemoteFunction | undefined> => {
    if (!/^\d+$/.test(id)) return undefined;
    const deployment = await executor.getDeployment(Number(id), signal);
    if (deployment === undefined) return undefined;
    const health = await executor.healthCheck(deployment.jobId, signal);
    return remoteOf(deployment, health.status === 'unhealthy' ? health.reason : undefined);
  };

  return {
    name,
    ...(endpoint && { endpoint }),
    jobIdOf,
    cannotRun: (desired) => [
      ...reasons(name, desired, labels),
      ...outOfRange(desired, name, 'memory_mb', desired.config.memory_mb, limits.memoryMb),
      ...outOfRange(desired, name, 'timeout_seconds', desired.config.timeout_seconds, limits.timeoutSecs),
    ],
    async create(desired, code, signal) {
      const jobId = jobIdOf(desired);
      const there = await executor.getDeployment(jobId, signal);
      if (there !== undefined) {
        const message = `${name} has a function with the job id ${jobId} (${there.functionName}).`;
        throw new FaasError({ code: 'CONFLICT', executed: 'no', provider: name, message });
      }
      await deploy(desired, code, signal, jobId).catch((failure: unknown) => {
        throw isConflict(failure) ? failure.with({ executed: 'maybe' }) : failure;
      });
      return { id: String(jobId) };
    },
    read,
    find: (wanted, signal) => read(String(jobIdOf(wanted)), signal),
    // A deploy sends the whole: what an earlier group has brought is no write any more.
    update: (id, _group, desired, code, signal) => deploy(desired, code, signal, Number(id)),
    delete: (id, signal) => executor.undeployJob(Number(id), signal),
    async close() {
      await executor.close?.();
    },
  };
}

function reasons(provider: string, desired: DesiredFunction, labels: boolean): string[] {
  const {
    address,
    runtime,
    template,
    handler_function,
    config,
    secrets,
    annotations,
    namespace,
    requirements,
  } = desired;
  const cannot = (what: string) => `${address} cannot run at ${provider} because ${what}.`;
  return [
    ...(runtime === ANY_NODE ? [] : [cannot(wrongRuntime(runtime))]),
    ...(template === 'http' ? [] : [cannot(`it has no template ${template}: leave template out`)]),
    ...(handler_function === 'handle'
      ? []
      : [cannot('it calls what the code exports as its default: leave handler_function out')]),
    ...(config.hardware_type === 'gpu' ? [cannot('it has no gpu')] : []),
    ...((config.replicas ?? 1) > 1 || config.min_scale !== undefined
      ? [cannot('it scales by itself: leave replicas and scale out')]
      : []),
    ...(secrets.length > 0
      ? [cannot('its secrets are references of its own: pass what is needed in environment')]
      : []),
    ...(Object.keys(annotations).length > 0 ? [cannot('it has no annotations')] : []),
    ...(!labels && Object.keys(desired.labels).length > 0 ? [cannot('it has no labels')] : []),
    ...(namespace === undefined ? [] : [cannot('it has no namespaces')]),
    ...(requirements === undefined
      ? []
      : [cannot('handlers are bundled with what they import: leave requirements out')]),
  ];
}

/** A version that nobody honours is refused: what runs is another one. */
function wrongRuntime(runtime: string): string {
  return NODE.test(runtime)
    ? `it runs its own version of Node.js, and ${runtime} asks for one: use the runtime ${ANY_NODE}`
    : `it takes Node.js handlers, not the runtime ${runtime}`;
}

/** From the limits data of the executor, before anything is made. */
function outOfRange(
  { address }: DesiredFunction,
  provider: string,
  field: string,
  value: number,
  range: NumberRange | undefined,
): string[] {
  if (range === undefined) return [];
  const { min, max, step = 1 } = range;
  if (value >= min && value <= max && (value - min) % step === 0) return [];
  const steps = step === 1 ? '' : ` in steps of ${step}`;
  return [
    `${address} cannot run at ${provider} because config.${field} is ${value}, and it takes ${min} to ${max}${steps}.`,
  ];
}

function remoteOf(deployment: Deployment, unhealthy: string | undefined): RemoteFunction {
  const { jobId, endpoint, memoryMb, timeoutSecs, deployedAt, sha256 } = deployment;
  return {
    id: String(jobId),
    jobId,
    status: unhealthy === undefined ? 'running' : 'failed',
    statusText: unhealthy === undefined ? 'deployed' : 'unhealthy',
    ...(unhealthy !== undefined && { errorMessage: unhealthy }),
    invokeUrl: endpoint,
    ...(sha256 !== undefined && { codeSha256: sha256 }),
    config: {
      ...(memoryMb !== undefined && { memory_mb: memoryMb }),
      ...(timeoutSecs !== undefined && { timeout_seconds: timeoutSecs }),
    },
    ...(deployedAt !== undefined && { createdAt: deployedAt }),
  };
}

/** In the middle of a deploy it is no word on who has the job id: nobody had it a moment ago. */
function isConflict(failure: unknown): failure is FaasError {
  return FaasError.is(failure) && failure.code === 'CONFLICT';
}

function problem(provider: string, message: string): FaasError {
  return new FaasError({ code: 'CONFIG', executed: 'no', provider, message: `${message}.` });
}
