/** `jobferry drift` and `jobferry refresh`: what was changed outside; refresh keeps it in the state. */
import { Command } from 'commander';
import { writeState } from '../../resources/index.js';
import { CHANGES, EXIT } from '../exit-codes.js';
import type { Finish } from '../program.js';
import type { Report } from '../report.js';
import { inSession, type Session, type SessionOptions, withSession } from '../resources/session.js';

interface DriftOptions extends SessionOptions {
  readonly detailedExitcode?: boolean;
}

export function driftCommand(finish: Finish): Command {
  const command = new Command('drift')
    .description('say what is there and differs from what the state knows; changes nothing')
    .argument('<file>', 'jobferry.functions.ts, .json or .yaml')
    .option('--detailed-exitcode', '0: none, 1: an error, 2: drift');
  return withSession(command)
    .addHelpText('after', '\nExample:\n  $ jobferry drift jobferry.functions.yaml --detailed-exitcode')
    .action(async (file: string, options: DriftOptions) => {
      const detailed = options.detailedExitcode;
      finish(await inSession(file, 'drift', options, async (session) => report(session, detailed)));
    });
}

export function refreshCommand(finish: Finish): Command {
  const command = new Command('refresh')
    .description('take what is there into the state; the functions are not changed')
    .argument('<file>', 'jobferry.functions.ts, .json or .yaml');
  return withSession(command)
    .addHelpText('after', '\nExample:\n  $ jobferry refresh jobferry.functions.yaml')
    .action(async (file: string, options: SessionOptions) => {
      const made = await inSession(file, 'refresh', options, async (session) => {
        const { backend, state, kept } = session;
        if (state !== kept) await writeState(backend, { ...state, serial: kept.serial + 1 });
        return report(session, false);
      });
      finish(made);
    });
}

function report({ drifts }: Session, detailed: boolean | undefined): Report {
  const lines =
    drifts.length === 0 ? ['Nothing was changed outside.'] : drifts.map(({ message }) => `! ${message}`);
  const data = {
    drifts: drifts.map(({ address, kind, message, changes }) => ({ address, kind, message, changes })),
  };
  return { lines, data, exitCode: detailed && drifts.length > 0 ? CHANGES : EXIT.ok, ok: true };
}
