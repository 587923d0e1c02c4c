/** `jobferry warm`: prepares instances before they are needed. */
import { Command } from 'commander';
import type { JobId } from '../../index.js';
import type { Finish } from '../program.js';
import { integer, onTarget, parseJobId, type TargetOptions, withTarget } from '../target.js';

export function warmCommand(finish: Finish): Command {
  const command = new Command('warm')
    .description('prepare instances of a job without running it; prints how many are warm now')
    .argument('<id>', 'id of the job', parseJobId)
    .option('--instances <n>', 'how many', integer(1));
  return withTarget(command)
    .addHelpText('after', '\nExample:\n  $ jobferry warm 0')
    .action(async (jobId: JobId, options: TargetOptions & { instances?: number }) => {
      const warm = await onTarget(options, (executor, signal) =>
        executor.warm(jobId, options.instances, signal),
      );
      finish({ lines: [`job ${jobId} has ${warm} warm instances`], data: { jobId, instances: warm } });
    });
}
