/** `jobferry apply` and `jobferry destroy`: bring about what a file declares, or take it all away. */
import { Command } from 'commander';
import { usageError } from '../exit-codes.js';
import type { Finish } from '../program.js';
import { type CarryOutOptions, carryOut } from '../resources/carry-out.js';
import { planned } from '../resources/planned.js';
import { checkPlan, readPlan } from '../resources/saved-plan.js';
import { inSession, type SessionOptions, withSession } from '../resources/session.js';
import { addTarget, type TargetsOption } from '../resources/targets.js';
import { integer } from '../target.js';

interface ApplyOptions extends SessionOptions, TargetsOption, CarryOutOptions {
  readonly plan?: string;
}

export function applyCommand(finish: Finish): Command {
  return command('apply', 'create, update and delete what differs from the file')
    .option('--plan <path>', 'do what this saved plan says, or refuse when anything has changed since')
    .addHelpText(
      'after',
      '\nExamples:\n  $ jobferry apply jobferry.functions.yaml\n  $ jobferry apply jobferry.functions.yaml --plan next.plan',
    )
    .action(async (file: string, options: ApplyOptions) => {
      if (options.plan !== undefined && options.target.length > 0) {
        throw usageError('--target goes with `plan --out`, not with --plan: a saved plan has its targets.');
      }
      const saved = options.plan === undefined ? undefined : await readPlan(options.plan);
      const report = await inSession(file, 'apply', options, async (session) => {
        const made = await planned(session, saved ?? options);
        if (saved === undefined) return carryOut(session, made, options);
        checkPlan(saved, made.plan);
        // Who has saved a plan has looked at it.
        return carryOut(session, made, { ...options, autoApprove: true });
      });
      finish(report);
    });
}

export function destroyCommand(finish: Finish): Command {
  return command('destroy', 'delete everything that the state of a file knows')
    .addHelpText('after', '\nExample:\n  $ jobferry destroy jobferry.functions.yaml --auto-approve')
    .action(async (file: string, options: ApplyOptions) => {
      const report = await inSession(file, 'destroy', options, async (session) =>
        carryOut(session, await planned(session, { ...options, destroy: true }), options),
      );
      finish(report);
    });
}

function command(name: string, description: string): Command {
  const made = new Command(name)
    .description(description)
    .argument('<file>', 'jobferry.functions.ts, .json or .yaml')
    .option('--target <address>', 'only this and what it needs; may be repeated', addTarget, [])
    .option('--auto-approve', 'do not ask')
    .option('--concurrency <n>', 'actions at once; default 4', integer(1))
    .option('--no-refresh', 'trust the state, do not look at what is there');
  return withSession(made);
}
