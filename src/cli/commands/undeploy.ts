/** `jobferry undeploy`: takes a job's function away. */
import { Command } from 'commander';
import type { JobId } from '../../index.js';
import type { Finish } from '../program.js';
import { onTarget, parseJobId, type TargetOptions, withTarget } from '../target.js';

export function undeployCommand(finish: Finish): Command {
  const command = new Command('undeploy')
    .description('take away the function of a job; fine when it is not there')
    .argument('<id>', 'id of the job', parseJobId);
  return withTarget(command)
    .addHelpText('after', '\nExample:\n  $ jobferry undeploy 0')
    .action(async (jobId: JobId, options: TargetOptions) => {
      await onTarget(options, (executor, signal) => executor.undeployJob(jobId, signal));
      finish({ lines: [`job ${jobId} is not deployed any more`], data: { jobId } });
    });
}
