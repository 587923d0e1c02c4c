/** `jobferry health`: is a deployed job's function fine? */
import { Command } from 'commander';
import type { Health, JobId } from '../../index.js';
import { EXIT } from '../exit-codes.js';
import type { Finish } from '../program.js';
import { onTarget, parseJobId, type TargetOptions, withTarget } from '../target.js';

const EXIT_BY_STATUS: Record<Health['status'], number> = {
  healthy: EXIT.ok,
  unhealthy: EXIT.failed,
  missing: EXIT.notFound,
};

export function healthCommand(finish: Finish): Command {
  const command = new Command('health')
    .description('check the function of a job: exit code 0 when healthy, 1 when not, 4 when it is missing')
    .argument('<id>', 'id of the job', parseJobId);
  return withTarget(command)
    .addHelpText('after', '\nExample:\n  $ jobferry health 0')
    .action(async (jobId: JobId, options: TargetOptions) => {
      const health = await onTarget(options, (executor, signal) => executor.healthCheck(jobId, signal));
      finish({
        lines: [describe(jobId, health)],
        data: { jobId, ...health },
        exitCode: EXIT_BY_STATUS[health.status],
      });
    });
}

function describe(jobId: JobId, { status, reason, totalInvocations, lastInvocation }: Health): string {
  const facts = [
    reason,
    totalInvocations === undefined ? undefined : `${totalInvocations} calls`,
    lastInvocation === undefined ? undefined : `last at ${lastInvocation}`,
  ];
  return [`job ${jobId} is ${status}`, ...facts.filter((fact) => fact !== undefined)].join(', ');
}
