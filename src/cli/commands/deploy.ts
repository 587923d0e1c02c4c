/** `jobferry deploy`: packages the jobs of a file and deploys each. */
import { Command } from 'commander';
import { type AnyJob, type Artifact, type Deployment, defineJob, type FunctionConfig } from '../../index.js';
import { loadModule, packageHandler } from '../../packaging/index.js';
import { planDeploy } from '../deploy-plan.js';
import { usageError } from '../exit-codes.js';
import { findJob, jobsIn } from '../jobs.js';
import type { Finish } from '../program.js';
import { formatBytes } from '../report.js';
import {
  integer,
  onTarget,
  parseJobId,
  type TargetOptions,
  targetOf,
  variablesHelp,
  withTarget,
} from '../target.js';

interface DeployOptions extends TargetOptions {
  readonly job: readonly string[];
  readonly memory?: number;
  readonly timeout?: number;
  readonly maxConcurrency?: number;
  readonly env: Readonly<Record<string, string>>;
  readonly sourcemap?: boolean;
  readonly dryRun?: boolean;
}

export function deployCommand(finish: Finish): Command {
  const command = new Command('deploy')
    .description('package the jobs that a TypeScript or JavaScript file exports and deploy each of them')
    .argument('<file>', 'exports what defineJob returns, or a function as its default')
    .option('--job <name or id>', 'only this job; may be repeated', (job, all: string[]) => [...all, job], [])
    .option('--memory <MB>', 'default: what the job says, else 512', integer(1))
    .option('--timeout <s>', 'seconds a call may run; default: what the job says, else 300', integer(1))
    .option(
      '--max-concurrency <n>',
      'calls at once; default: what the job says, else the platform decides',
      integer(1),
    )
    .option(
      '--env <K=V>',
      'environment of the function; K alone takes the value from yours; may be repeated',
      addEnv,
      {},
    )
    .option('--dry-run', 'say what would be done, and do nothing')
    .option('--sourcemap', 'stack traces name lines of the source; the artifact gets larger');
  return withTarget(command)
    .addHelpText(
      'after',
      '\nExamples:\n  $ jobferry deploy jobs.ts\n  $ jobferry deploy jobs.ts --job resize --memory 1024 --env LEVEL=9\n  $ jobferry deploy jobs.ts --to aws-lambda --dry-run\n' +
        variablesHelp(),
    )
    .action(async (file: string, options: DeployOptions) => {
      const jobs = await jobsToDeploy(file, options.job);
      const { provider } = targetOf(options);
      const artifact = await packageHandler({
        entry: file,
        sourcemap: options.sourcemap ?? false,
        ...(provider.target && { target: provider.target }),
      });
      // With --json the last line of stdout stays the report.
      const say = (text: string) => console.error(text);
      const { plans, deployments } = await onTarget(
        options,
        async (executor, signal, { env }) => {
          const wanted = jobs.map((job) => ({
            job,
            config: { ...provider.configFrom?.(env), ...configOf(job, options) },
          }));
          const plans = await Promise.all(
            wanted.map(({ job, config }) => planDeploy(executor, job, artifact, config, signal)),
          );
          if (options.dryRun) return { plans, deployments: [] };
          for (const plan of plans) say(plan.text);
          const done: Deployment[] = [];
          for (const { job, config } of wanted) {
            done.push(await executor.deployJob(job.id, artifact, config, signal));
          }
          return { plans, deployments: done };
        },
        (step) => say(`  ${step}`),
      );
      finish({
        lines: options.dryRun
          ? plans.map((plan) => plan.text)
          : deployments.map((deployment, index) => describe(jobs[index] as AnyJob, deployment, artifact)),
        data: options.dryRun ? { plans: plans.map(({ text: _, ...plan }) => plan) } : { deployments },
      });
    });
}

async function jobsToDeploy(file: string, wanted: readonly string[]): Promise<AnyJob[]> {
  const module = await loadModule(file);
  const jobs = jobsIn(module);
  if (jobs.length === 0 && typeof module['default'] === 'function') return wanted.map(handlerJob);
  const chosen = wanted.length === 0 ? jobs : wanted.map((nameOrId) => findJob(jobs, nameOrId, file));
  if (chosen.length === 0) throw usageError(`${file} exports no job. Export what defineJob returns.`);
  for (const job of chosen) {
    if (job.handler === undefined) throw usageError(`Job "${job.name}" of ${file} has no handler to deploy.`);
  }
  return chosen;
}

/** A plain function has no id of its own. */
function handlerJob(id: string): AnyJob {
  return defineJob({ id: parseJobId(id), name: `job ${id}`, handler: () => undefined });
}

function configOf(
  job: AnyJob,
  { memory, timeout, maxConcurrency, env }: DeployOptions,
): Partial<FunctionConfig> {
  return {
    ...job.config,
    ...(memory !== undefined && { memoryMb: memory }),
    ...(timeout !== undefined && { timeoutSecs: timeout }),
    ...(maxConcurrency !== undefined && { maxConcurrency }),
    env: { ...job.config?.env, ...env },
  };
}

function addEnv(text: string, env: Record<string, string>): Record<string, string> {
  const [name = '', ...rest] = text.split('=');
  const value = rest.length > 0 ? rest.join('=') : process.env[name];
  if (name === '' || value === undefined) {
    throw usageError(
      `--env ${JSON.stringify(name)}: use NAME=value, or NAME of a variable that is set here.`,
    );
  }
  return { ...env, [name]: value };
}

function describe(job: AnyJob, { functionName, endpoint }: Deployment, artifact: Artifact): string {
  const content = `${formatBytes(artifact.bytes.length)}, sha256 ${artifact.sha256.slice(0, 12)}`;
  return `${job.name} (job ${job.id}) deployed as ${functionName} at ${endpoint} (${content})`;
}
