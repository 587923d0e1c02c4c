/** `jobferry runtimes`: what a file of declared functions may name as `runtime`, with templates and hardware. */
import { Command, Option } from 'commander';
import { type Hardware, type RuntimeInfo, runtimesFor } from '../../resources/index.js';
import { usageError } from '../exit-codes.js';
import { interruptible } from '../interrupt.js';
import type { Finish } from '../program.js';
import { OpenProviders } from '../resources/providers.js';

interface RuntimesOptions {
  readonly hardware?: Hardware;
  readonly provider?: string;
}

export function runtimesCommand(finish: Finish): Command {
  return new Command('runtimes')
    .description('list the runtimes of declared functions, with their templates and hardware')
    .addOption(new Option('--hardware <kind>', 'only those that run on it').choices(['cpu', 'gpu']))
    .option('--provider <name>', 'ask this one what it offers; default: all that a file may name')
    .addHelpText(
      'after',
      '\nExamples:\n  $ jobferry runtimes --hardware gpu\n  $ jobferry runtimes --provider e2e-platform --json',
    )
    .action(async ({ hardware, provider }: RuntimesOptions) => {
      const offered = provider === undefined ? undefined : await offeredBy(provider);
      const runtimes = runtimesFor(hardware, offered);
      finish({
        lines: runtimes.length === 0 ? ['no runtime'] : runtimes.map(line),
        data: { runtimes },
      });
    });
}

async function offeredBy(name: string): Promise<readonly RuntimeInfo[]> {
  const providers = new OpenProviders(process.env);
  try {
    await providers.open([name]);
    const provider = providers.get(name);
    return await interruptible(async (signal) => {
      const runtimes = await provider.runtimes?.(signal);
      if (runtimes !== undefined) return runtimes;
      throw usageError(`${name} does not say what it offers. Leave --provider out for what a file may name.`);
    });
  } finally {
    await providers.close();
  }
}

function line({ name, title, templates, hardware, endOfLife }: RuntimeInfo): string {
  const until = endOfLife === undefined ? '' : `, supported until ${endOfLife}`;
  return `${name.padEnd(16)}  ${title}: template ${templates.join(' or ')}, on ${hardware.join(' or ')}${until}`;
}
