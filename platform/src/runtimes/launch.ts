/**
 * How a bootstrap is started so that it belongs to its tree, and to its sandbox, from its first instruction: a shell
 * joins the tree, waits, and becomes the bootstrap when it is told which. Joining is the slow part (the kernel stops
 * forks everywhere for it), so it is done ahead. Afterwards, this tells whether the bootstrap was started at all.
 */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { shellQuote } from './watchdog.js';

export interface Launch {
  readonly file: string;
  readonly args: readonly string[];
}

const FAILED_MARKER = 'start-failed';
const SANDBOX_STATUS = 'sandbox-status';

/**
 * $0 is the instance's folder; the arguments are the files of the groups to join, then `--`, then the sandbox's
 * command. The order comes as one line of stdin, of which `read` takes no byte more. When the shell cannot become the
 * bootstrap, the trap leaves the marker behind; a shell that became another program has no trap left. (bash runs its
 * trap after a failed exec only with execfail.)
 */
const LAUNCHER = `
trap ': > "$0/${FAILED_MARKER}"' EXIT
ulimit -c 0
shopt -s execfail 2>/dev/null
nl='
'
while [ "$1" != -- ]; do echo 0 > "$1" || exit 126; shift; done
shift
IFS= read -r order || exit 126
eval "$order"
exit 126`;

/** Variables that some shell keeps for itself. */
const SHELLS_OWN =
  /^(UID|EUID|PPID|GROUPS|OPTIND|IFS|SHELLOPTS|BASHOPTS|BASH_.*|PWD|OLDPWD|SHLVL|nl|order|_)$/;

/**
 * @param folder the instance's own
 * @param joinFiles files a process writes "0" to in order to join the tree
 * @param sandbox the part of the sandbox's command that does not depend on the function; none without a sandbox
 */
export function launcherIn(folder: string, joinFiles: readonly string[], sandbox: readonly string[]): Launch {
  return { file: '/bin/sh', args: ['-c', LAUNCHER, folder, ...joinFiles, '--', ...sandbox] };
}

/**
 * The line that makes the launcher the bootstrap of this code with this environment, which is on no command line.
 * @param sandbox the rest of the sandbox's command; undefined without a sandbox
 * @param program what to become instead of the bootstrap
 */
export function launchOrder(
  codeFolder: string,
  env: Readonly<Record<string, string>>,
  sandbox: readonly string[] | undefined,
  program: readonly string[] = ['./bootstrap'],
): string {
  const assign = ([name, value]: [string, string]): string => `${name}=${word(value)}`;
  const entries = Object.entries(env);
  const exported = entries.filter(([name]) => !SHELLS_OWN.test(name)).map(assign);
  const others = entries.filter(([name]) => SHELLS_OWN.test(name)).map(assign);
  const command = [
    ...(others.length > 0 ? ['/usr/bin/env', ...others] : []),
    '"$@"',
    ...(sandbox ?? []).map(word),
    ...program.map(word),
    ...(sandbox === undefined ? [] : [`3> "$0/${SANDBOX_STATUS}"`]),
  ];
  const steps = [
    `cd ${word(codeFolder)} || exit 126`,
    'unset order OLDPWD SHLVL',
    `export ${exported.join(' ')}`,
    `exec ${command.join(' ')}`,
  ];
  return steps.join('; ');
}

/** Text as one word on one line: a line feed stands outside the quotes, as a variable of the launcher. */
function word(text: string): string {
  return shellQuote(text).replaceAll('\n', `'"$nl"'`);
}

/** Asked after an end with an exit code other than 0: did the bootstrap itself begin to run? */
export function wasStarted({ folder, isSandboxed }: { folder: string; isSandboxed: boolean }): boolean {
  if (existsSync(join(folder, FAILED_MARKER))) return false;
  if (!isSandboxed) return true;
  try {
    // bwrap writes the exit code only of a command whose exec succeeded.
    return readFileSync(join(folder, SANDBOX_STATUS), 'utf8').includes('"exit-code"');
  } catch {
    return false;
  }
}
