/** npm test needs no Python: what does is left out where there is none that is new enough, and says so. */
import { spawnSync } from 'node:child_process';

const said = spawnSync('python3', ['--version']).stdout?.toString() ?? '';
const [, minor = '0'] = /^Python 3\.(\d+)/.exec(said) ?? [];

export const hasPython = Number(minor) >= 11;
if (!hasPython) console.warn('There is no python3 of 3.11 or newer on the PATH: its tests are left out.');
