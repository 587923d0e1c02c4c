// Makes a clone ready to run: installs when the lock file is newer than what is installed, builds when a source
// is newer than the last build. Plain JavaScript: on a fresh clone it runs under whatever Node the system has.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isBuilt, node, root } from './build-state.mjs';

const installed = join(root, 'node_modules/.package-lock.json');
const lockFile = join(root, 'package-lock.json');

if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lockFile).mtimeMs) run('npm', ['ci']);
if (!isBuilt()) run(node(), [join(root, 'scripts/build.mjs')]);

/** Output goes to stderr: stdout belongs to the command that comes after. */
function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (status === 0) return;
  console.error(`\`${[command, ...args].join(' ')}\` failed${error ? `: ${error.message}` : ''}. See above.`);
  process.exit(1);
}
