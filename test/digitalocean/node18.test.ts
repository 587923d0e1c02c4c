/**
 * What is uploaded runs on Node.js 18, the default runtime there: nothing newer stands in it. That it does run is seen
 * in test/peers/node18.test.ts.
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { transform } from 'esbuild';
import JSZip from 'jszip';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Artifact } from '../../src/core/executor.js';
import { packageExecutable } from '../../src/packaging/executable.js';
import { packageHandler } from '../../src/packaging/handler.js';

const target = 'digitalocean';
let folder: string;
let packages: Record<'handler' | 'executable', Artifact>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-node18-'));
  const entry = join(folder, 'jobs.ts');
  await writeFile(
    entry,
    `import { defineJob } from 'jobferry';
     export const add = defineJob({ id: 7, name: 'add', handler: (n: number) => n + 1 });`,
  );
  const path = join(folder, 'answer');
  await writeFile(path, '#!/bin/sh\ncat > /dev/null; printf \'{"result":[52,50]}\'\n');
  await chmod(path, 0o755);
  packages = {
    handler: await packageHandler({ target, entry, minify: false }),
    executable: await packageExecutable({ target, path }),
  };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const filesOf = async ({ bytes }: Artifact) => Object.entries((await JSZip.loadAsync(bytes)).files);

async function bundleOf(artifact: Artifact): Promise<string> {
  const found = (await filesOf(artifact)).find(([name]) => name === 'index.js');
  return found === undefined ? '' : found[1].async('string');
}

/** Came with Node.js 19 to 24. */
const NEWER = [
  /\bURL\.parse\(/g,
  /\bPromise\.(withResolvers|try)\b/g,
  /\bArray\.fromAsync\b/g,
  /\b(Object|Map)\.groupBy\b/g,
  /\bAbortSignal\.any\b/g,
  /\bimport\.meta\.(dirname|filename)\b/g,
  /\.(toSorted|toReversed|toSpliced|isWellFormed|toWellFormed)\(/g,
  /\.(isSubsetOf|isSupersetOf|isDisjointFrom|symmetricDifference)\(/g,
  /(?<![\w.$])(globalThis\.)?crypto\.(randomUUID|subtle|getRandomValues)\b/g,
  /\b(node:sqlite|getBuiltinModule|navigator\.|new WebSocket)\b/g,
];
const newerApis = (code: string) => NEWER.flatMap((pattern) => code.match(pattern) ?? []);

describe.each(['handler', 'executable'] as const)('a package of kind %s', (kind) => {
  it('uses no API that is newer than Node.js 18', async () => {
    expect(newerApis(await bundleOf(packages[kind]))).toEqual([]);
  });

  it('has no syntax that is newer', async () => {
    const code = await bundleOf(packages[kind]);
    const options = { legalComments: 'none', charset: 'utf8' } as const;
    const as18 = await transform(code, { ...options, target: 'node18' });
    const asIs = await transform(code, { ...options, target: 'esnext' });
    expect(as18.code).toBe(asIs.code);
    expect(as18.warnings).toEqual([]);
  });
});

it('what is newer would be found', async () => {
  expect(newerApis('a(URL.parse(x), Promise.withResolvers(), crypto.randomUUID())')).toHaveLength(3);
  expect(newerApis('node_crypto.randomUUID(); URL.canParse(x)')).toEqual([]);
});
