/** Which platform a command talks to. */
import { type Command, InvalidArgumentError } from 'commander';
import { HttpFaasExecutor } from '../executors/custom-http/index.js';
import { checkJobId, type JobId } from '../index.js';

export const DEFAULT_URL = 'http://127.0.0.1:8080';

export interface TargetOptions {
  readonly url: string;
}

export function withTarget(command: Command): Command {
  const { JOBFERRY_URL } = process.env;
  return command.option(
    '--url <url>',
    'the platform; default from JOBFERRY_URL',
    JOBFERRY_URL || DEFAULT_URL,
  );
}

/** Opens the platform for the time of `work`. Ctrl-C aborts the signal that `work` gets. */
export async function onPlatform<Result>(
  { url }: TargetOptions,
  work: (executor: HttpFaasExecutor, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const executor = new HttpFaasExecutor({ baseUrl: url, ...authFromEnvironment() });
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    return await work(executor, interrupted.signal);
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    await executor.close();
  }
}

/** Never from the command line, where every user of the machine could read it. */
export function authFromEnvironment(): { auth?: { bearer: string } } {
  const { JOBFERRY_TOKEN } = process.env;
  return JOBFERRY_TOKEN ? { auth: { bearer: JOBFERRY_TOKEN } } : {};
}

/** Parses a command-line argument that is a job id. */
export function parseJobId(text: string): JobId {
  try {
    return checkJobId(/^\d+$/.test(text) ? Number(text) : text);
  } catch {
    throw new InvalidArgumentError('Use a job id: an integer from 0 to 4294967295.');
  }
}

/** Parses a command-line argument that is a number within bounds. */
export function integer(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(
      max === Number.MAX_SAFE_INTEGER
        ? `Use an integer from ${min}.`
        : `Use an integer from ${min} to ${max}.`,
    );
  };
}
