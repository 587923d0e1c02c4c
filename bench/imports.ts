/** (4): what `import 'jobferry'` costs over a bare start of Node. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { median } from './compare.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

export async function importBench(rounds: number): Promise<void> {
  const differences: { ms: number; mb: number }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const bare = await start('');
    const loaded = await start(`await import('jobferry');`);
    differences.push({ ms: loaded.ms - bare.ms, mb: loaded.mb - bare.mb });
  }
  const of = (key: 'ms' | 'mb') =>
    median(differences.map((difference) => difference[key]).sort((a, b) => a - b));
  console.log('\n(4) import of jobferry over bare node');
  console.log(`  ${of('ms').toFixed(1)} ms   goal at most 15`);
  console.log(`  ${of('mb').toFixed(1)} MB resident   goal at most 6`);
}

/** Milliseconds inside the process from before the import to after it, and its resident set then. */
async function start(code: string): Promise<{ ms: number; mb: number }> {
  const script = `const t = performance.now(); ${code} const ms = performance.now() - t; console.log(JSON.stringify({ ms, mb: process.memoryUsage.rss() / 1e6 }))`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: root,
    env: {},
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(await text(child.stdout));
}
