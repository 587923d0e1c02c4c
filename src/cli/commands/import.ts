/** `jobferry import`: takes what is there already under management. */
import { Command } from 'commander';
import { type Address, importResource, withEndpoints, writeState } from '../../resources/index.js';
import { useColour } from '../colour.js';
import { usageError } from '../exit-codes.js';
import type { Finish } from '../program.js';
import type { Report } from '../report.js';
import { planned } from '../resources/planned.js';
import { planData, planLines } from '../resources/render.js';
import { inSession, type Session, type SessionOptions, withSession } from '../resources/session.js';

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
        const { declared, providers, backend, state, kept, signal } = session;
        const wanted = declared.find((one) => one.address === address);
        if (wanted === undefined)
          throw usageError(`${file} declares no ${address}. Declare it first, then import it.`);
        await providers.open([wanted.provider]);
        const provider = providers.get(wanted.provider);
        const imported = await importResource(state, wanted, id, provider, declared, signal);
        const next = withEndpoints(imported, providers.endpoints());
        await writeState(backend, { ...next, serial: kept.serial + 1 });
        return leftToDo({ ...session, state: next }, wanted.address);
      });
      finish(report);
    });
}

/** It is imported by now: code or a secret that is not here keeps us only from saying what an apply would change. */
async function leftToDo(session: Session, address: Address): Promise<Report> {
  const done = `${address} is managed here now.`;
  try {
    const { plan } = await planned(session, { target: [address] });
    return { lines: [done, ...planLines(plan, [], useColour(process.stdout))], data: planData(plan, []) };
  } catch (failure) {
    const reason = failure instanceof Error ? failure.message : String(failure);
    return { lines: [done, `What apply would change cannot be told:\n${reason}`], data: { reason } };
  }
}
