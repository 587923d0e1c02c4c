/** `jobferry output`: the outputs of the last apply. */
import { Command } from 'commander';
import { loadModule } from '../../packaging/index.js';
import { openStateBackend, readSource, readState } from '../../resources/index.js';
import { usageError } from '../exit-codes.js';
import type { Finish } from '../program.js';
import { plain } from '../resources/carry-out.js';
import { placeOf, type SessionOptions, withSession } from '../resources/session.js';

export function outputCommand(finish: Finish): Command {
  const command = new Command('output')
    .description('print the outputs of the last apply, or one of them as it is')
    .argument('<file>', 'jobferry.functions.ts, .json or .yaml')
    .argument('[name]', 'of one output');
  return withSession(command)
    .addHelpText('after', '\nExample:\n  $ jobferry output jobferry.functions.yaml url')
    .action(async (file: string, name: string | undefined, options: SessionOptions) => {
      const source = await readSource(file, loadModule);
      const backend = await openStateBackend(placeOf(source, options));
      const outputs = plain((await readState(backend)).outputs);
      await backend.close?.();
      if (name === undefined) {
        finish({
          lines: Object.entries(outputs).map(([key, value]) => `${key} = ${JSON.stringify(value)}`),
          data: { outputs },
        });
        return;
      }
      if (!(name in outputs)) {
        const known = Object.keys(outputs).join(', ') || 'none yet: apply the file first';
        throw usageError(`There is no output ${JSON.stringify(name)}. There are: ${known}.`);
      }
      finish({ lines: [String(outputs[name])], data: { name, value: outputs[name] } });
    });
}
