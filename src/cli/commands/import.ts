/** `jobferry import`: takes what is there already under management. */
import { Command } from 'commander';
import { importResource, plan, writeState } from '../../resources/index.js';
import { usageError } from '../exit-codes.js';
import type { Finish } from '../program.js';
import { planData, planLines } from '../resources/render.js';
import { inSession, type SessionOptions, withSession } from '../resources/session.js';

export function importCommand(finish: Finish): Command {
  const command = new Command('import')
    .description('take a function or secret that is there into the state; nothing is changed there')
    .argument('<file>', 'declares it: jobferry.functions.ts, .json or .yaml')
    .argument('<address>', 'function.KEY or secret.KEY of the file')
    .argument('<id>', 'its id at the provider, name.namespace, or name');
  return withSession(command)
    .addHelpText(
      'after',
      '\nExample:\n  $ jobferry import jobferry.functions.yaml function.resize resize.e2e-faas-20235-dl',
    )
    .action(async (file: string, address: string, id: string, options: SessionOptions) => {
      const report = await inSession(file, 'import', options, async (session) => {
        const { desired, providers, backend, state, kept, signal } = session;
        const wanted = desired.find((one) => one.address === address);
        if (wanted === undefined)
          throw usageError(`${file} declares no ${address}. Declare it first, then import it.`);
        const provider = providers.get(wanted.provider);
        const next = await importResource(state, wanted, id, provider, desired, signal);
        await writeState(backend, { ...next, serial: kept.serial + 1 });
        const left = plan(next, desired, { targets: [wanted.address] });
        return {
          lines: [`${address} is managed here now.`, ...planLines(left, [])],
          data: planData(left, []),
        };
      });
      finish(report);
    });
}
