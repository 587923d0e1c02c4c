/** `jobferry logs`: what a function printed. */
import { Command, InvalidArgumentError } from 'commander';
import type { JobId, LogEntry } from '../../index.js';
import type { Finish } from '../program.js';
import { integer, onTarget, parseJobId, type TargetOptions, withTarget } from '../target.js';

interface LogsOptions extends TargetOptions {
  readonly tail?: number;
  readonly follow?: boolean;
  readonly since?: Date;
  readonly call?: string;
  readonly json?: boolean;
}

export function logsCommand(finish: Finish): Command {
  const command = new Command('logs')
    .description('print what a function wrote; with --json one object a line')
    .argument('<id>', 'id of the job', parseJobId)
    .option('--tail <n>', 'only the newest entries', integer(1))
    .option('--since <time>', 'only entries from this time on, RFC 3339', parseTime)
    .option('--call <id>', 'only what this call wrote')
    .option('--follow', 'wait for more, until Ctrl-C');
  return withTarget(command)
    .addHelpText('after', '\nExamples:\n  $ jobferry logs 0 --tail 20\n  $ jobferry logs 0 --follow')
    .action(async (jobId: JobId, options: LogsOptions) => {
      const entries = await onTarget(options, async (executor, signal) => {
        let count = 0;
        try {
          for await (const entry of executor.logs(jobId, logOptions(options, signal))) {
            console.log(options.json ? JSON.stringify(entry) : text(entry));
            count += 1;
          }
        } catch (failure) {
          // Ctrl-C is how following ends.
          if (!(options.follow && signal.aborted)) throw failure;
        }
        return count;
      });
      finish({ lines: [], data: { jobId, entries } });
    });
}

function logOptions({ tail, since, follow, call }: LogsOptions, signal: AbortSignal) {
  return {
    signal,
    ...(tail !== undefined && { tail }),
    ...(since !== undefined && { since }),
    ...(follow !== undefined && { follow }),
    ...(call !== undefined && { callId: call }),
  };
}

function text({ time, message, callId, stream }: LogEntry): string {
  const from = [stream, callId].filter((part) => part !== undefined).join(' ');
  return `${time.toISOString()}${from === '' ? '' : ` [${from}]`} ${message.trimEnd()}`;
}

function parseTime(value: string): Date {
  const time = new Date(value);
  if (!Number.isNaN(time.getTime())) return time;
  throw new InvalidArgumentError('Use a time such as 2026-05-01T12:00:00Z.');
}
