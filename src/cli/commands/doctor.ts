/** `jobferry doctor`: looks at everything the other commands need and says what to do. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Command } from 'commander';
import { EXIT } from '../exit-codes.js';
import { loadPlatform } from '../platform-package.js';
import type { Finish } from '../program.js';
import { type Check, checkPackage } from '../provider.js';
import { type TargetOptions, targetOf, withTarget } from '../target.js';

interface DoctorOptions extends TargetOptions {
  readonly data: string;
}

const MIN_NODE = [22, 19] as const;

export function doctorCommand(finish: Finish): Command {
  const command = new Command('doctor')
    .description('check Node, packages, the data folder and the provider; exit code 1 when a check fails')
    .option('--data <dir>', 'the data folder of jobferry dev', '.jobferry');
  return withTarget(command)
    .addHelpText(
      'after',
      '\nExamples:\n  $ jobferry doctor --url https://faas.example.com\n  $ jobferry doctor --to aws-lambda',
    )
    .action(async (options: DoctorOptions) => {
      const { provider, env } = targetOf(options);
      const groups = await Promise.all([
        [checkNode()],
        checkPackages(),
        checkDataFolder(options.data).then((check) => [check]),
        provider.doctor(env),
      ]);
      const checks = groups.flat();
      const exitCode = checks.some((check) => check.status === 'fail') ? EXIT.failed : EXIT.ok;
      finish({
        lines: checks.map((check) => `${check.status.padEnd(4)}  ${check.name}: ${check.message}`),
        data: { checks },
        exitCode,
      });
    });
}

function checkNode(): Check {
  const name = 'node';
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isEnough = major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1]);
  if (isEnough) return { name, status: 'ok', message: process.versions.node };
  return {
    name,
    status: 'fail',
    message: `${process.versions.node}; install Node ${MIN_NODE.join('.')} or newer`,
  };
}

/** A package may be there and not work: esbuild needs the binary for this very machine. */
async function checkPackages(): Promise<Check[]> {
  const checks = await Promise.all([
    checkPackage('esbuild', async () => (await import('esbuild')).transform('1'), 'deploy, run'),
    checkPackage('jszip', () => import('jszip'), 'deploy'),
    checkPackage('undici', () => import('undici'), 'deploy, invoke, health, warm, undeploy'),
    checkPackage('@jobferry/platform', loadPlatform, 'dev'),
  ]);
  // Only who runs a platform needs that one.
  return checks.map((check) =>
    check.name === '@jobferry/platform' && check.status === 'fail' ? { ...check, status: 'warn' } : check,
  );
}

async function checkDataFolder(folder: string): Promise<Check> {
  const name = 'data folder';
  const path = resolve(folder);
  const existing = await stat(path).catch(() => undefined);
  if (existing !== undefined && !existing.isDirectory()) {
    return { name, status: 'fail', message: `${path} is not a folder; choose another one with --data` };
  }
  try {
    await access(existing === undefined ? dirname(path) : path, constants.W_OK);
    return { name, status: 'ok', message: existing === undefined ? `${path} will be made` : path };
  } catch (error) {
    return {
      name,
      status: 'fail',
      message: `${path} cannot be written (${firstLine(error)}); choose another one with --data`,
    };
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] as string;
}
