/** `jobferry forget`: ends the management of what is there, and leaves it there. */
import { Command } from 'commander';
import { loadModule } from '../../packaging/index.js';
import {
  type Address,
  openStateBackend,
  readSource,
  readState,
  withLock,
  withResource,
  writeState,
} from '../../resources/index.js';
import { usageError } from '../exit-codes.js';
import type { Finish } from '../program.js';
import { placeOf, type SessionOptions, withSession } from '../resources/session.js';

export function forgetCommand(finish: Finish): Command {
  const command = new Command('forget')
    .description('take a function or secret out of the state; nothing is deleted or changed where it is')
    .argument('<file>', 'jobferry.functions.ts, .json or .yaml')
    .argument('<address>', 'function.KEY or secret.KEY of the state');
  return withSession(command)
    .addHelpText('after', '\nExample:\n  $ jobferry forget jobferry.functions.yaml function.resize')
    .action(async (file: string, address: Address, options: SessionOptions) => {
      const backend = await openStateBackend(placeOf(await readSource(file, loadModule), options));
      try {
        if (options.breakLock !== undefined) await backend.unlock(options.breakLock);
        await withLock(backend, 'forget', async () => {
          const state = await readState(backend);
          if (!state.resources.has(address)) {
            const known = [...state.resources.keys()].sort().join(', ') || 'nothing yet';
            throw usageError(`The state knows no ${address}. It knows ${known}.`);
          }
          const next = withResource(state, address, undefined);
          await writeState(backend, { ...next, serial: state.serial + 1 });
        });
      } finally {
        await backend.close?.();
      }
      const lines = [
        `${address} is managed here no more. It is still there: take it out of the file too, or import it again.`,
      ];
      finish({ lines, data: { forgotten: address } });
    });
}
