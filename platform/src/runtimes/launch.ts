/**
 * How a bootstrap is started so that it belongs to its tree, and to its sandbox, from its first instruction; and
 * afterwards, whether it was started at all. What this leaves in the instance's folder is out of reach of a sandbox.
 */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Launch {
  readonly file: string;
  readonly args: readonly string[];
}

export interface LaunchSpec {
  /** The instance's own folder. */
  readonly folder: string;
  /** Files a process writes "0" to in order to join the tree; none when it belongs to it by birth. */
  readonly joinFiles: readonly string[];
  /** The sandbox's command around the bootstrap; undefined without a sandbox. */
  readonly sandbox: readonly string[] | undefined;
}

const BOOTSTRAP = './bootstrap';
const FAILED_MARKER = 'start-failed';
const SANDBOX_STATUS = 'sandbox-status';

/**
 * Joins each group named before `--`, then becomes what stands behind it. When it cannot, the trap leaves the marker
 * behind; a shell that became another program has no trap left. (bash runs its trap after a failed exec only with
 * execfail.) $0 is the instance's folder.
 */
const launcher = (redirection: string): string => `
trap ': > "$0/${FAILED_MARKER}"' EXIT
ulimit -c 0
shopt -s execfail 2>/dev/null
while [ "$1" != -- ]; do echo 0 > "$1" || exit 126; shift; done
shift
exec "$@" ${redirection}
exit 126`;
const PLAIN = launcher('');
const SANDBOXED = launcher(`3> "$0/${SANDBOX_STATUS}"`);

export function launchOf({ folder, joinFiles, sandbox }: LaunchSpec): Launch {
  if (joinFiles.length === 0 && sandbox === undefined) return { file: BOOTSTRAP, args: [] };
  const script = sandbox === undefined ? PLAIN : SANDBOXED;
  return { file: '/bin/sh', args: ['-c', script, folder, ...joinFiles, '--', ...(sandbox ?? []), BOOTSTRAP] };
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
