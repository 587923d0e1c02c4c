/** `jobferry dev`: the platform on this machine, until Ctrl-C. */
import { once } from 'node:events';
import { Command, Option } from 'commander';
import { type Isolation, loadPlatform } from '../platform-package.js';
import type { Finish } from '../program.js';
import { integer } from '../target.js';

interface DevOptions {
  readonly host?: string;
  readonly port?: number;
  readonly data: string;
  readonly requireKey?: boolean;
  readonly isolation?: 'required' | 'best-effort' | 'off';
  readonly publicUrl?: string;
  readonly namespace?: string;
  readonly publicFunctions?: boolean;
  readonly callbackHost?: readonly string[];
}

const DEFAULT_PORT = 8080;

export function devCommand(finish: Finish): Command {
  return new Command('dev')
    .description('start a FaaS platform on this machine and keep it running until Ctrl-C')
    .option(
      '--port <n>',
      `port; default ${DEFAULT_PORT}, or a free one when that is taken`,
      integer(0, 65_535),
    )
    .option('--host <address>', 'default 127.0.0.1; any other address demands keys: jobferry keys create')
    .option('--data <dir>', 'where deployed functions are kept', '.jobferry')
    .option('--require-key', 'demand a key on 127.0.0.1 too')
    .addOption(
      new Option(
        '--isolation <how>',
        'bubblewrap around functions, without network; default best-effort',
      ).choices(['required', 'best-effort', 'off']),
    )
    .option('--public-url <url>', 'what URLs in answers begin with, behind a proxy: https://faas.example.org')
    .option('--namespace <name>', 'of functions that come through the E2E door; default e2e-faas-local')
    .option('--public-functions', 'let anybody call functions that answer HTTP, where all else takes a key')
    .option(
      '--callback-host <host...>',
      'may be called back after asynchronous calls; default this machine on 127.0.0.1, else none',
    )
    .addHelpText('after', '\nExample:\n  $ jobferry dev --port 9000 --data /var/lib/jobferry')
    .action(async (options: DevOptions) => {
      const ended = signalled();
      const platform = await start(options);
      console.log(`jobferry platform ready on ${platform.url}`);
      console.log(`OpenFaaS: ${platform.url}, E2E: ${platform.url}/faas/api/v1`);
      console.log(`data in ${options.data}; ${isolationText(platform.isolation)}`);
      await ended;
      await platform.close();
      finish({ lines: ['jobferry platform closed'], data: { url: platform.url } });
    });
}

/** What functions may do here, and why no less. */
function isolationText({ mode, memory, processTree, network, reason }: Isolation): string {
  return [
    `isolation ${mode}`,
    `memory by ${memory}`,
    `process tree by ${processTree}`,
    network === 'none' ? 'functions have no network' : 'functions have the network of this machine',
    ...(reason === undefined ? [] : [reason]),
  ].join(', ');
}

async function start({ port, data, callbackHost, ...others }: DevOptions) {
  const { startPlatform } = await loadPlatform();
  const options = { ...others, ...(callbackHost !== undefined && { callbackHosts: callbackHost }) };
  try {
    return await startPlatform({ ...options, port: port ?? DEFAULT_PORT, dataDir: data });
  } catch (error) {
    if (port !== undefined || !isPortTaken(error)) throw error;
    return await startPlatform({ ...options, port: 0, dataDir: data });
  }
}

function isPortTaken(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (error as NodeJS.ErrnoException).code === 'EADDRINUSE' || isPortTaken(error.cause);
}

/** Listens from the start, so that a signal during start-up is not lost. */
function signalled(): Promise<unknown> {
  return Promise.race(['SIGINT', 'SIGTERM'].map((signal) => once(process, signal)));
}
