/** `jobferry validate`: every fault of a file at once. */
import { Command } from 'commander';
import { loadModule } from '../../packaging/index.js';
import { describeFault, readSource, validate } from '../../resources/index.js';
import { EXIT } from '../exit-codes.js';
import type { Finish } from '../program.js';
import { faultsBeside } from '../resources/file-faults.js';

export function validateCommand(finish: Finish): Command {
  return new Command('validate')
    .description('check a file of declared functions; says every fault with its line and what to do')
    .argument('<file>', 'jobferry.functions.ts, .json or .yaml')
    .addHelpText('after', '\nExample:\n  $ jobferry validate jobferry.functions.yaml')
    .action(async (file: string) => {
      const source = await readSource(file, loadModule);
      const beside = await faultsBeside(source.value, source.folder, process.env);
      const faults = [...validate(source.value), ...beside]
        .map((fault) => ({ severity: 'error', ...fault, line: source.line(fault.path) }) as const)
        .sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
      const errors = faults.filter(({ severity }) => severity !== 'warning').length;
      const lines = faults.map((fault) => `${fault.severity}: ${describeFault(source, fault)}`);
      finish({
        lines: [
          ...lines,
          errors === 0 ? `${source.path} is good.` : `${errors} ${errors === 1 ? 'fault' : 'faults'}.`,
        ],
        data: { faults },
        exitCode: errors === 0 ? EXIT.ok : EXIT.failed,
      });
    });
}
