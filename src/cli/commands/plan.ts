/** `jobferry plan`: what `apply` would do. */
import { Command } from 'commander';
import { hasChanges, writeState } from '../../resources/index.js';
import { useColour } from '../colour.js';
import { CHANGES, EXIT } from '../exit-codes.js';
import type { Finish } from '../program.js';
import { planned } from '../resources/planned.js';
import { planData, planLines } from '../resources/render.js';
import { savePlan } from '../resources/saved-plan.js';
import { inSession, type SessionOptions, withSession } from '../resources/session.js';
import { addTarget, type TargetsOption } from '../resources/targets.js';

interface PlanOptions extends SessionOptions, TargetsOption {
  readonly out?: string;
  readonly destroy?: boolean;
  readonly detailedExitcode?: boolean;
}

export function planCommand(finish: Finish): Command {
  const command = new Command('plan')
    .description('say what apply would do to the functions and secrets that a file declares')
    .argument('<file>', 'jobferry.functions.ts, .json or .yaml')
    .option('--target <address>', 'only this and what it needs; may be repeated', addTarget, [])
    .option('--out <path>', 'keep the plan: apply --plan does this and nothing else')
    .option('--destroy', 'what destroy would do')
    .option('--no-refresh', 'trust the state, do not look at what is there')
    .option('--detailed-exitcode', '0: nothing to do, 1: an error, 2: changes');
  return withSession(command)
    .addHelpText('after', '\nExample:\n  $ jobferry plan jobferry.functions.yaml --out next.plan')
    .action(async (file: string, options: PlanOptions) => {
      const report = await inSession(file, 'plan', options, async (session) => {
        const { kept, backend, drifts } = session;
        const { plan } = await planned(session, options);
        // A plan is for one state, and a state that was never written is another one each time.
        if (options.out !== undefined && kept.serial === 0) await writeState(backend, kept);
        if (options.out !== undefined) await savePlan(options.out, plan, options);
        const exitCode = options.detailedExitcode && hasChanges(plan) ? CHANGES : EXIT.ok;
        return {
          lines: planLines(plan, drifts, useColour(process.stdout)),
          data: planData(plan, drifts),
          exitCode,
          ok: true,
        };
      });
      finish(report);
    });
}
