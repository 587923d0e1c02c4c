/**
 * Puts damaged archives through the code store, as a process of its own that can be watched from outside: it prints
 * one JSON line with what happened. Run it bundled, as `node archive-mill.js <folder> <seeds.json> <flips> <seed>`.
 */

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { CodeStore } from '../../src/code/code-store.js';
import { PlatformError } from '../../src/domain/errors.js';
import { dataFolderAt, makeRoot, prepareFolders } from '../../src/store/data-folder.js';

export interface MillReport {
  readonly tried: number;
  readonly accepted: number;
  readonly refused: Readonly<Record<string, number>>;
  /** Anything that is not a refusal with a reason. */
  readonly wrong: readonly string[];
  readonly baseRssBytes: number;
  readonly peakRssBytes: number;
}

const LIMITS = { maxUnzippedBytes: 4 * 1024 * 1024, maxZipEntries: 1000 };
const LOOK_AROUND_EVERY = 500;
const MAX_WRONG = 20;

const [root = '', seedsFile = '', flips = '0', randomSeed = '1'] = process.argv.slice(2);
const seeds = (JSON.parse(await readFile(seedsFile, 'utf8')) as string[]).map((text) =>
  Buffer.from(text, 'base64'),
);
const folder = dataFolderAt(join(root, 'a', 'data'));
await mkdir(join(root, 'a', 'beside'), { recursive: true });
await makeRoot(folder);
await prepareFolders(folder);
const store = new CodeStore(folder, LIMITS, () => false);
const zipFile = join(root, 'upload.zip');
const refused: Record<string, number> = {};
const wrong: string[] = [];
let tried = 0;
let accepted = 0;

async function mill(zip: Buffer, what: string): Promise<void> {
  const name = (tried++).toString(16).padStart(64, '0');
  await writeFile(zipFile, zip);
  try {
    await store.install(zipFile, name);
    accepted++;
    await store.collect(name);
  } catch (error) {
    const isReason = error instanceof PlatformError && error.status >= 400 && error.status < 500;
    if (isReason && error.message.length > 10) refused[error.code] = (refused[error.code] ?? 0) + 1;
    else if (wrong.length < MAX_WRONG)
      wrong.push(`${what}: ${error instanceof Error ? error.stack : String(error)}`);
  }
  if (tried % LOOK_AROUND_EVERY === 0) await lookAround();
}

/** Nothing may stand anywhere but where the store puts it, and all of that is gone again. */
async function lookAround(): Promise<void> {
  const found = (await readdir(root, { recursive: true })).toSorted();
  const expected = ['', '/beside', '/data', '/data/calls', `/data/calls/${folder.instance}`, '/data/code']
    .concat('/data/code/package.json', '/data/incoming')
    .map((path) => `a${path}`)
    .concat('upload.zip');
  if (JSON.stringify(found) !== JSON.stringify(expected) && wrong.length < MAX_WRONG)
    wrong.push(`after ${tried}: ${found.join(' ')}`);
}

function generator(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 4_294_967_296;
  };
}

const random = generator(Number(randomSeed));
for (const seed of seeds) await mill(seed, 'the seed itself');
const acceptedSeeds = accepted;
const baseRssBytes = process.memoryUsage.rss();
for (const [index, seed] of seeds.entries())
  for (let length = 0; length < seed.length; length++)
    await mill(seed.subarray(0, length), `seed ${index} cut at ${length}`);
for (let flip = 0; flip < Number(flips); flip++) {
  const index = flip % seeds.length;
  const bytes = Buffer.from(seeds[index] ?? '');
  for (let count = 1 + Math.floor(random() * 3); count > 0; count--) {
    const at = Math.floor(random() * bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 + Math.floor(random() * 255));
  }
  await mill(bytes, `seed ${index} flipped: ${bytes.toString('base64')}`);
}
await lookAround();
if (acceptedSeeds !== seeds.length) wrong.push(`only ${acceptedSeeds} of ${seeds.length} seeds are good`);
const report: MillReport = {
  tried,
  accepted,
  refused,
  wrong,
  baseRssBytes,
  peakRssBytes: process.resourceUsage().maxRSS * 1024,
};
console.log(JSON.stringify(report));
