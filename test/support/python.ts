/** npm test needs no Python: what does is left out where there is none, and says so. `.ci/run` asks for it. */
import { spawnSync } from 'node:child_process';

export const hasPython = spawnSync('python3', ['--version']).status === 0;
if (!hasPython) console.warn('There is no python3 on the PATH: tests of Python handlers are left out.');
