/** Which platform or cloud a command talks to. */
import { type Command, InvalidArgumentError } from 'commander';
import { checkJobId, type FaasExecutor, type JobId } from '../index.js';
import { usageError } from './exit-codes.js';
import { interruptible } from './interrupt.js';
import { DEFAULT_URL } from './platform-check.js';
import type { CliProvider, Env } from './provider.js';
import { customHttp } from './providers/custom-http.js';
import { PROVIDERS, providerOf } from './providers/index.js';

export interface TargetOptions {
  readonly to: string;
  readonly url?: string;
}

export function withTarget(command: Command): Command {
  const { JOBFERRY_TO, JOBFERRY_URL } = process.env;
  const names = PROVIDERS.map(({ name }) => name).join(', ');
  return command
    .option('--to <provider>', `${names}; default from JOBFERRY_TO`, JOBFERRY_TO || customHttp.name)
    .option(
      '--url <url>',
      `the platform of custom-http; default from JOBFERRY_URL, else ${JOBFERRY_URL || DEFAULT_URL}`,
    );
}

/** The variables that each provider reads, for --help. */
export function variablesHelp(): string {
  const lines = PROVIDERS.flatMap(({ name, variables }) => [
    `  ${name}`,
    ...Object.entries(variables).map(([variable, use]) => `    ${variable}: ${use}`),
  ]);
  return ['\nFrom the environment:', ...lines].join('\n');
}

export interface Target {
  readonly provider: CliProvider;
  readonly env: Env;
}

/** @throws {FaasError} CONFIG for options that exclude each other */
export function targetOf({ to, url }: TargetOptions): Target {
  const provider = providerOf(to);
  if (url === undefined) return { provider, env: process.env };
  if (provider !== customHttp) throw usageError(`--url goes with custom-http only, not with --to ${to}.`);
  return { provider, env: { ...process.env, JOBFERRY_URL: url } };
}

/** Opens the target for the time of `work`. Ctrl-C aborts the signal that `work` gets. */
export async function onTarget<Result>(
  options: TargetOptions,
  work: (executor: FaasExecutor, signal: AbortSignal, target: Target) => Promise<Result>,
  onStep?: (step: string) => void,
): Promise<Result> {
  const target = targetOf(options);
  const executor = await target.provider.open(target.env, onStep);
  try {
    return await interruptible((signal) => work(executor, signal, target));
  } finally {
    await executor.close?.();
  }
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
