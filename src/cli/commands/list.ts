/** `jobferry list`: what is deployed. */
import { Command } from 'commander';
import type { Deployment } from '../../index.js';
import type { Finish } from '../program.js';
import { formatBytes } from '../report.js';
import { onTarget, type TargetOptions, withTarget } from '../target.js';

export function listCommand(finish: Finish): Command {
  const command = new Command('list').description(
    'list the functions that are deployed, with what the provider says',
  );
  return withTarget(command)
    .addHelpText('after', '\nExample:\n  $ jobferry list --to aws-lambda --json')
    .action(async (options: TargetOptions) => {
      const deployments = await onTarget(options, (executor, signal) => executor.listDeployments(signal));
      const lines = deployments.length === 0 ? ['nothing is deployed'] : deployments.map(line);
      finish({ lines, data: { deployments } });
    });
}

function line({ jobId, functionName, endpoint, memoryMb, timeoutSecs, artifactBytes }: Deployment): string {
  const facts = [
    ...(memoryMb === undefined ? [] : [`${memoryMb} MB`]),
    ...(timeoutSecs === undefined ? [] : [`${timeoutSecs} s`]),
    ...(artifactBytes === undefined ? [] : [formatBytes(artifactBytes)]),
  ];
  return `${String(jobId).padEnd(10)} ${functionName}  ${endpoint}${facts.length > 0 ? `  (${facts.join(', ')})` : ''}`;
}
