/** `jobferry dev`: the platform on this machine, until Ctrl-C. */
import { once } from 'node:events';
import { Command } from 'commander';
import { usageError } from '../exit-codes.js';
import type { Finish } from '../program.js';
import { integer } from '../target.js';

interface DevOptions {
  readonly port?: number;
  readonly data: string;
}

/** The part of @jobferry/platform that is used; the package is loaded by this command alone. */
interface PlatformPackage {
  startPlatform(options: { port: number; dataDir: string }): Promise<{
    readonly url: string;
    readonly isolation: Readonly<Record<string, unknown>>;
    close(): Promise<void>;
  }>;
}

const PACKAGE: string = '@jobferry/platform';
const DEFAULT_PORT = 8080;

export function devCommand(finish: Finish): Command {
  return new Command('dev')
    .description('start a FaaS platform on this machine and keep it running until Ctrl-C')
    .option(
      '--port <n>',
      `port on 127.0.0.1; default ${DEFAULT_PORT}, or a free one when that is taken`,
      integer(0, 65_535),
    )
    .option('--data <dir>', 'where deployed functions are kept', '.jobferry')
    .addHelpText('after', '\nExample:\n  $ jobferry dev --port 9000 --data /var/lib/jobferry')
    .action(async (options: DevOptions) => {
      const ended = signalled();
      const platform = await start(options);
      console.log(`jobferry platform ready on ${platform.url}`);
      const { mode, memory, processTree } = platform.isolation;
      console.log(
        `data in ${options.data}; isolation ${mode}, memory by ${memory}, process tree by ${processTree}`,
      );
      await ended;
      await platform.close();
      finish({ lines: ['jobferry platform closed'], data: { url: platform.url } });
    });
}

async function start({ port, data }: DevOptions) {
  const { startPlatform } = await loadPlatform();
  try {
    return await startPlatform({ port: port ?? DEFAULT_PORT, dataDir: data });
  } catch (error) {
    if (port !== undefined || !isPortTaken(error)) throw error;
    return await startPlatform({ port: 0, dataDir: data });
  }
}

async function loadPlatform(): Promise<PlatformPackage> {
  try {
    return await import(PACKAGE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw usageError(`The platform is not installed. Run: npm install ${PACKAGE}`);
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
