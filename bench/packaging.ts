/** (7): packages of many files against yazl, and the memory that a large one takes. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { packageFiles } from 'jobferry/packaging';
import { ZipFile } from 'yazl';
import { compare, print, type Variant } from './compare.ts';

const FILES = 500;
const FILE_BYTES = 20_000;

export async function packagingBench(rounds: number): Promise<void> {
  const files = Array.from({ length: FILES }, (_, n) => ({
    path: `src/module-${n}.js`,
    bytes: moduleText(n),
  }));
  const variants: Variant[] = [
    { name: 'yazl', measure: () => rate(() => withYazl(files)) },
    { name: 'jobferry', measure: () => rate(() => packageFiles(files)) },
  ];
  const title = `(7) a package of ${FILES} files, ${(FILES * FILE_BYTES) / 1e6} MB`;
  print(title, 'packages/s', await compare(variants, rounds), { jobferry: '1.67x (0.6x the time)' });
  const script = fileURLToPath(new URL('./package-one.mjs', import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'], env: {} });
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const { residentMb, zipMb } = JSON.parse(line);
  console.log(
    `  50 MB in one file: ${residentMb.toFixed(0)} MB resident at the peak, of which ${zipMb.toFixed(0)} MB are the zip and 50 MB the input   goal at most 100 MB`,
  );
}

async function rate(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return 1000 / (performance.now() - startMs);
}

async function withYazl(files: readonly { path: string; bytes: Buffer }[]): Promise<string> {
  const zip = new ZipFile();
  const mtime = new Date('1980-01-01T00:00:00Z');
  for (const { path, bytes } of files) zip.addBuffer(bytes, path, { mtime, mode: 0o100644 });
  zip.end();
  // As packageFiles does.
  return createHash('sha256')
    .update(await buffer(zip.outputStream))
    .digest('hex');
}

/** Text that is about as repetitive as code. */
function moduleText(seed: number): Buffer {
  let state = seed + 1;
  const word = () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return WORDS[state % WORDS.length] as string;
  };
  let text = '';
  while (text.length < FILE_BYTES)
    text += `  const ${word()}_${state % 997} = ${word()}(${word()}, ${state % 89});\n`;
  return Buffer.from(text.slice(0, FILE_BYTES));
}

const WORDS = [
  'resize',
  'input',
  'output',
  'bytes',
  'await',
  'options',
  'value',
  'result',
  'call',
  'deadline',
];
