/** Puts the commands together and turns however one ends into an exit code. */
import { Command, CommanderError, type OutputConfiguration } from 'commander';
import { applyCommand, destroyCommand } from './commands/apply.js';
import { conformanceCommand } from './commands/conformance.js';
import { costCommand } from './commands/cost.js';
import { deployCommand } from './commands/deploy.js';
import { devCommand } from './commands/dev.js';
import { doctorCommand } from './commands/doctor.js';
import { driftCommand, refreshCommand } from './commands/drift.js';
import { forgetCommand } from './commands/forget.js';
import { healthCommand } from './commands/health.js';
import { importCommand } from './commands/import.js';
import { invokeCommand } from './commands/invoke.js';
import { keysCommand } from './commands/keys.js';
import { listCommand } from './commands/list.js';
import { logsCommand } from './commands/logs.js';
import { outputCommand } from './commands/output.js';
import { planCommand } from './commands/plan.js';
import { runCommand } from './commands/run.js';
import { runtimesCommand } from './commands/runtimes.js';
import { undeployCommand } from './commands/undeploy.js';
import { validateCommand } from './commands/validate.js';
import { warmCommand } from './commands/warm.js';
import { EXIT, EXIT_CODES_HELP, usageError } from './exit-codes.js';
import { ownVersion } from './own-version.js';
import { printError, printReport, type Report } from './report.js';

/** Turns the work of a command into its action; the report is printed by `runCli`. */
export type Finish = (report: Report) => void;

/** @returns the exit code; nothing is thrown. */
export async function runCli(args: readonly string[]): Promise<number> {
  const json = args.includes('--json');
  let report: Report | undefined;
  const program = buildProgram((finished) => {
    report = finished;
  }, json);
  try {
    if (args.length === 0) program.help();
    await program.parseAsync(args, { from: 'user' });
    return report === undefined ? EXIT.ok : printReport(report, json);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok; // --help or --version
    const failure =
      error instanceof CommanderError
        ? usageError(`${textOf(error, args, program)} (--help shows how)`)
        : error;
    // Where 2 means changes, no error may look like them, not even a wrong option.
    return printError(failure, json, args.includes('--detailed-exitcode') ? EXIT.failed : undefined);
  }
}

/** Where commander would show a help, which is no message. */
function textOf({ code, message }: CommanderError, args: readonly string[], program: Command): string {
  if (code !== 'commander.help') return message.replace(/^error: /, '');
  const [name, other] = args.filter((arg) => !arg.startsWith('-'));
  if (name === 'help') return `unknown command '${other}'`;
  const command = program.commands.find((one) => one.name() === name);
  return `${name} needs one of its commands: ${command?.commands.map((one) => one.name()).join(', ')}`;
}

function buildProgram(finish: Finish, json: boolean): Command {
  const program = new Command('jobferry')
    .description('Send each registered job to the FaaS it belongs on and run the rest locally.')
    .version(ownVersion())
    .addHelpText('after', `${EXIT_CODES_HELP}\n\nThe key of the platform is read from JOBFERRY_TOKEN.`);
  // Written once by printError, in one form, instead of by commander.
  const output: OutputConfiguration = { writeErr: () => {} };
  const commands = [
    devCommand,
    deployCommand,
    invokeCommand,
    healthCommand,
    warmCommand,
    undeployCommand,
    listCommand,
    logsCommand,
    runCommand,
    planCommand,
    applyCommand,
    destroyCommand,
    importCommand,
    forgetCommand,
    driftCommand,
    refreshCommand,
    outputCommand,
    validateCommand,
    runtimesCommand,
    costCommand,
    doctorCommand,
    conformanceCommand,
    keysCommand,
  ];
  for (const make of commands) {
    const command = make(finish).option('--json', 'print one JSON object as the last line', json);
    for (const part of [command, ...command.commands]) part.configureOutput(output).exitOverride();
    program.addCommand(command);
  }
  return program.configureOutput(output).exitOverride();
}
