/** Ten good archives, and the process that damages them in every way. */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'tsup';
import { expect } from 'vitest';

import type { MillReport } from './archive-mill.js';
import { answer } from './bootstraps.js';
import { zip } from './zip.js';

const PLATFORM = fileURLToPath(new URL('../..', import.meta.url));
const MIB = 1024 * 1024;
/** V8 lets garbage pile up to 100 MB and more when nothing presses; this keeps it from hiding what is measured. */
const YOUNG_GENERATION = '--max-semi-space-size=8';
const bootstrap = { name: 'bootstrap', content: answer(1) };

export const archiveSeeds: readonly Buffer[] = [
  zip([bootstrap]),
  zip([{ ...bootstrap, stored: true }]),
  zip([bootstrap, { name: 'faas.json', content: '{"protocol":"binary-1"}' }]),
  zip([bootstrap, { name: 'lib/', mode: 0o040755 }, { name: 'lib/a.js', content: 'a' }]),
  zip([bootstrap, { name: 'a/b/c/d/e/f', content: 'deep' }]),
  zip([bootstrap, { name: 'ä/😀.txt', content: 'names' }]),
  zip([bootstrap, { name: 'empty' }, { name: 'stored', content: 'x'.repeat(200), stored: true }]),
  zip([bootstrap, { name: 'zeros', content: Buffer.alloc(50_000) }]),
  zip([bootstrap, ...Array.from({ length: 8 }, (_, n) => ({ name: `f${n}`, content: `${n}` }))]),
  zip([
    { ...bootstrap, mode: 0o104755 },
    { name: 'run.sh', content: '#!/bin/sh\n', mode: 0o100755 },
  ]),
];

/** Every prefix of every seed and `flips` flipped ones: refused with a reason or good, and nothing left anywhere. */
export async function expectToStandDamage(flips: number): Promise<void> {
  // Memory where there is some: a hundred thousand extractions would wear out a disk with their fsyncs.
  const home = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'archives-'));
  try {
    const report = await runMill(home, flips);
    console.log(JSON.stringify({ ...report, wrong: report.wrong.length }));
    const prefixes = archiveSeeds.reduce((sum, seed) => sum + seed.length, 0);
    expect(report.wrong).toEqual([]);
    expect(report.tried).toBe(archiveSeeds.length + prefixes + flips);
    expect(report.refused['INVALID_PACKAGE']).toBeGreaterThan(prefixes);
    expect(report.peakRssBytes - report.baseRssBytes).toBeLessThanOrEqual(64 * MIB);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

async function runMill(home: string, flips: number): Promise<MillReport> {
  await symlink(fileURLToPath(new URL('../../../node_modules', import.meta.url)), join(home, 'node_modules'));
  await build({
    config: false,
    entry: [`${PLATFORM}/test/support/archive-mill.ts`],
    format: 'esm',
    target: 'node22',
    platform: 'node',
    outDir: join(home, 'dist'),
    outExtension: () => ({ js: '.mjs' }),
    tsconfig: `${PLATFORM}/../tsconfig.json`,
    removeNodeProtocol: false,
    external: ['yauzl'],
    clean: false,
    silent: true,
  });
  const seedsFile = join(home, 'seeds.json');
  await writeFile(seedsFile, JSON.stringify(archiveSeeds.map((seed) => seed.toString('base64'))));
  const root = await mkdtemp(join(home, 'root-'));
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [YOUNG_GENERATION, join(home, 'dist', 'archive-mill.mjs'), root, seedsFile, String(flips), '20261121'],
    { env: { PATH: process.env['PATH'] ?? '' }, maxBuffer: 16 * MIB },
  );
  return JSON.parse(stdout) as MillReport;
}
