/** `jobferry doctor`: looks at everything the other commands need and says what to do. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Command } from 'commander';
import { EXIT } from '../exit-codes.js';
import type { Finish } from '../program.js';
import { DEFAULT_URL, type TargetOptions, withTarget } from '../target.js';

interface Check {
  readonly name: string;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly message: string;
}

interface DoctorOptions extends TargetOptions {
  readonly data: string;
}

const MIN_NODE = [22, 19] as const;
const TIMEOUT_MS = 5000;

export function doctorCommand(finish: Finish): Command {
  const command = new Command('doctor')
    .description('check Node, packages, the data folder and the platform; exit code 1 when a check fails')
    .option('--data <dir>', 'the data folder of jobferry dev', '.jobferry');
  return withTarget(command)
    .addHelpText('after', '\nExample:\n  $ jobferry doctor --url https://faas.example.com')
    .action(async (options: DoctorOptions) => {
      const groups = await Promise.all([
        [checkNode()],
        checkPackages(),
        checkDataFolder(options.data).then((check) => [check]),
        checkPlatform(options.url),
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
function checkPackages(): Promise<Check[]> {
  const uses: [name: string, use: string, missing: 'warn' | 'fail', tryOut: (module: unknown) => unknown][] =
    [
      ['esbuild', 'deploy, run', 'fail', (module) => (module as typeof import('esbuild')).transform('1')],
      ['jszip', 'deploy', 'fail', () => undefined],
      ['undici', 'deploy, invoke, health, warm, undeploy', 'fail', () => undefined],
      ['@jobferry/platform', 'dev', 'warn', () => undefined],
    ];
  return Promise.all(
    uses.map(async ([name, use, missing, tryOut]): Promise<Check> => {
      try {
        await tryOut(await import(name));
        return { name, status: 'ok', message: `works (for ${use})` };
      } catch (error) {
        const message = `does not load, and is needed for ${use}: ${firstLine(error)}. Run: npm install ${name}`;
        return { name, status: missing, message };
      }
    }),
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

interface PlatformInfo {
  readonly spec?: string;
  readonly platform?: string;
  readonly version?: string;
  readonly isolation?: { readonly mode?: string; readonly memory?: string; readonly processTree?: string };
}

async function checkPlatform(url: string): Promise<Check[]> {
  const name = 'platform';
  // Nobody has to run a platform on the default address.
  const unreachable = url === DEFAULT_URL ? 'warn' : 'fail';
  let response: Response;
  try {
    response = await requestInfo(url);
  } catch (error) {
    const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const advice = 'start one with: jobferry dev, or name one with --url';
    return [
      { name, status: unreachable, message: `${url} cannot be reached (${firstLine(reason)}); ${advice}` },
    ];
  }
  if (response.status === 401 || response.status === 403) {
    return [
      { name, status: 'fail', message: `${url} refuses the key; put the right one into JOBFERRY_TOKEN` },
    ];
  }
  const info = (await response.json().catch(() => undefined)) as PlatformInfo | undefined;
  if (!response.ok || typeof info !== 'object' || info === null) {
    const message = `${url} answers ${response.status} to GET /api: a platform that does not describe itself, or none at all`;
    return [{ name, status: 'warn', message }];
  }
  const { spec = 'unknown', platform = 'unknown', version = '' } = info;
  return [
    { name, status: 'ok', message: `${url} is ${platform} ${version}, spec ${spec}` },
    checkIsolation(info.isolation),
  ];
}

function requestInfo(url: string): Promise<Response> {
  const { JOBFERRY_TOKEN } = process.env;
  return fetch(new URL('api', url.endsWith('/') ? url : `${url}/`), {
    headers: JOBFERRY_TOKEN ? { Authorization: `Bearer ${JOBFERRY_TOKEN}` } : {},
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
}

function checkIsolation(isolation: PlatformInfo['isolation']): Check {
  const name = 'isolation';
  if (isolation === undefined)
    return { name, status: 'warn', message: 'the platform does not say how it isolates functions' };
  const { mode, memory, processTree } = isolation;
  const facts = `${mode}, memory by ${memory}, process tree by ${processTree}`;
  if (memory === 'sampled' || processTree === 'process-group') {
    return { name, status: 'warn', message: `${facts}; give the platform a writable cgroup for hard limits` };
  }
  if (mode === 'process') {
    return { name, status: 'warn', message: `${facts}; install bubblewrap to keep functions apart` };
  }
  return { name, status: 'ok', message: facts };
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] as string;
}
