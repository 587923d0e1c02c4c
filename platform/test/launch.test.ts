import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';

import { launcherIn, launchOrder, wasStarted } from '../src/runtimes/launch.js';
import { sh } from './support/bootstraps.js';

const folder = mkdtempSync(join(tmpdir(), "launch 'test"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Starts a bootstrap as the platform does and gives its stdout. */
function launch(env: Record<string, string>, input = ''): string {
  const { file, args } = launcherIn(folder, [], []);
  const order = launchOrder(folder, env, undefined);
  return execFileSync(file, args, { cwd: '/', env: {}, input: `${order}\n${input}`, encoding: 'utf8' });
}

async function bootstrap(script: string): Promise<void> {
  writeFileSync(join(folder, 'bootstrap'), script);
  await chmod(join(folder, 'bootstrap'), 0o755);
}

describe('the launcher', () => {
  it('hands over exactly the environment it is told, whatever is in it', async () => {
    await bootstrap(sh('exec /usr/bin/env -0'));
    const name = fc.stringMatching(/^[A-Z][A-Z0-9_]{0,10}$/).map((text) => `X${text}`);
    const value = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({
        unit: fc.constantFrom(...'\'"`$\\\n\r\t ;&|<>(){}*?[]!#~%=\u0081\u0088\u0401😀'.split('')),
      }),
    );
    const values = value.map((text) => text.replaceAll('\0', '').toWellFormed());
    fc.assert(
      fc.property(fc.dictionary(name, values, { minKeys: 1, maxKeys: 4, noNullPrototype: true }), (env) => {
        const seen = launch(env).split('\0').slice(0, -1);
        const got = Object.fromEntries(
          seen.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
        );
        // What shells set for themselves.
        for (const own of ['PWD', '_', 'SHLVL', 'OLDPWD']) delete got[own];
        expect(got).toEqual(env);
      }),
      { numRuns: 200 },
    );
  });

  it('hands over variables whose names a shell keeps for itself', async () => {
    await bootstrap(sh('exec /usr/bin/env'));
    const env = { UID: '7', OPTIND: '1', IFS: 'abc', PPID: '1', nl: 'n', order: 'o', TEXT: 'a b' };
    const seen = launch(env).split('\n');
    // dash, as the bootstrap's own shell, may change some of them again; these it leaves alone.
    for (const line of ['UID=7', 'nl=n', 'order=o', 'TEXT=a b']) expect(seen).toContain(line);
  });

  it('leaves the input behind its own line to the bootstrap', async () => {
    await bootstrap(sh('exec cat'));
    expect(launch({ A: 'x\ny' }, 'first\nsecond')).toBe('first\nsecond');
  });

  it('leaves word when there is no bootstrap to become, and none when there was', async () => {
    await bootstrap(sh('exit 3'));
    expect(() => launch({ A: '1' })).toThrow();
    expect(wasStarted({ folder, isSandboxed: false })).toBe(true);
    rmSync(join(folder, 'bootstrap'));
    expect(() => launch({ A: '1' })).toThrow(/bootstrap/);
    expect(wasStarted({ folder, isSandboxed: false })).toBe(false);
  });
});
