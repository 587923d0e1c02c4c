/** `jobferry apply` and `jobferry destroy`: bring about what a file declares, or take it all away. */
import { Command } from 'commander';
import { plan } from '../../resources/index.js';
import type { Finish } from '../program.js';
import { type CarryOutOptions, carryOut } from '../resources/carry-out.js';
import { checkPlan, readPlan } from '../resources/saved-plan.js';
import { inSession, type SessionOptions, withSession } from '../resources/session.js';
import { addTarget, type TargetsOption, targetsOf } from '../resources/targets.js';
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
      const saved = options.plan === undefined ? undefined : await readPlan(options.plan);
      const wanted = saved === undefined ? options.target : saved.targets;
      const report = await inSession(file, 'apply', options, async (session) => {
        const made = plan(session.state, session.desired, targetsOf({ target: wanted }));
        if (saved !== undefined) checkPlan(saved, made);
        // Who has saved a plan has looked at it.
        return carryOut(session, made, saved === undefined ? options : { ...options, autoApprove: true });
      });
      finish(report);
    });
}

export function destroyCommand(finish: Finish): Command {
  return command('destroy', 'delete everything that the state of a file knows')
    .addHelpText('after', '\nExample:\n  $ jobferry destroy jobferry.functions.yaml --auto-approve')
    .action(async (file: string, options: ApplyOptions) => {
      const report = await inSession(file, 'destroy', options, (session) =>
        carryOut({ ...session, desired: [] }, plan(session.state, [], targetsOf(options)), options),
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
