/** The standard's own targets for a platform: how long calls take, as a caller sees it. Times, not ratios. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import { BOOTSTRAPS, call, deploy, startServer, stop } from './platform.ts';

const AT_ONCE = 100;

export async function targetsBench(rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-targets-'));
  const options = { dataDir: folder, isolation: 'best-effort', prestart: { total: 4 } };
  const { child, url } = await startServer(options);
  const pool = new Pool(url);
  try {
    console.log('\nThe targets of the standard, for bootstraps that do nothing (p50, p99, most; ms)');
    for (const name of Object.keys(BOOTSTRAPS) as (keyof typeof BOOTSTRAPS)[]) {
      await deploy(url, name);
      await call(pool, name);
      const byKind: Record<'warm' | 'cold', number[]> = { warm: [], cold: [] };
      for (let n = 0; n < rounds * 20; n += 1) {
        // Every other call comes before the next instance stands ready.
        if (n % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 150));
        const { ms, isCold } = await timed(pool, name);
        byKind[isCold ? 'cold' : 'warm'].push(ms);
      }
      console.log(`  ${name}, cold                 ${figures(byKind.cold)}   goal p50 500`);
      console.log(`  ${name}, started ahead        ${figures(byKind.warm)}   goal p50 50, p99 100`);
      const startMs = performance.now();
      const all = await Promise.all(Array.from({ length: AT_ONCE }, () => timed(pool, name)));
      const perSecond = AT_ONCE / ((performance.now() - startMs) / 1000);
      const times = all.map(({ ms }) => ms);
      console.log(
        `  ${name}, ${AT_ONCE} calls at once    ${figures(times)}, ${perSecond.toFixed(0)} calls/s   goal 100 a second`,
      );
    }
  } finally {
    await pool.close();
    await stop(child);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function timed(pool: Pool, name: string): Promise<{ ms: number; isCold: boolean }> {
  const startMs = performance.now();
  const { cold_start: isCold } = await call(pool, name);
  return { ms: performance.now() - startMs, isCold: isCold !== false };
}

function figures(times: number[]): string {
  if (times.length === 0) return 'none of the calls';
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return [at(0.5), at(0.99), at(1)].map((ms) => ms.toFixed(1)).join(', ');
}
