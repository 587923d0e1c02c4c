/** (8): a cold call through the platform against a bare start of the same bootstrap, and what a start costs the caller. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { packageFiles } from 'jobferry/packaging';
import { Pool } from 'undici';
import { compare, median, print, type Variant } from './compare.ts';

const SERVER = fileURLToPath(new URL('./platform-server.mjs', import.meta.url));
/** Where a function finds its interpreter, and a bare start as well. */
const PATH = [dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'].join(delimiter);
const BALLAST_MB = 500;
export const BOOTSTRAPS: Readonly<Record<'sh' | 'node', string>> = {
  sh: `#!/bin/sh\ncat > /dev/null; printf '{"result":[1]}'\n`,
  node: `#!/usr/bin/env node
const { args } = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
process.stdout.write(JSON.stringify({ result: args }));
`,
};

export async function platformBench(rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-platform-'));
  const cold = await startServer({ dataDir: join(folder, 'cold'), isolation: 'off', prestart: { total: 0 } });
  const ahead = await startServer({ dataDir: join(folder, 'ahead'), isolation: 'off' });
  const boxed = await startServer({
    dataDir: join(folder, 'boxed'),
    isolation: 'best-effort',
    prestart: { total: 0 },
  });
  try {
    for (const name of ['sh', 'node'] as const) {
      const file = write(folder, name);
      for (const { url } of [cold, ahead, boxed]) await deploy(url, name);
      const calls = name === 'sh' ? 30 : 8;
      // Time to get ready for the next call, the same for all.
      const pauseMs = name === 'sh' ? 20 : 90;
      const bare: Variant = {
        name: `spawn of the ${name} bootstrap`,
        measure: () => rate(calls, () => bareStart(file), pauseMs),
      };
      const rows = [
        bare,
        called('platform, cold, as a process', cold.url, name, calls, pauseMs),
        called(`platform, cold, ${await modeOf(boxed.url)}`, boxed.url, name, calls, pauseMs),
        called('platform, started ahead', ahead.url, name, calls, pauseMs),
      ];
      print(
        `(8) one call of a ${name} bootstrap, ${pauseMs} ms after the one before`,
        'calls/s',
        await compare(rows, rounds),
        {
          // A rate of half is a time of twice.
          'platform, cold, as a process': name === 'sh' ? '0.5x' : '0.87x',
          'platform, started ahead': 'far above 1x',
        },
      );
    }
    await blocked(folder, rounds);
  } finally {
    for (const { child } of [cold, ahead, boxed]) await stop(child);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** How long starts stop the event loop of a process with much memory: by itself, and as the platform. */
async function blocked(folder: string, rounds: number): Promise<void> {
  const options = { dataDir: join(folder, 'ballast'), isolation: 'off', prestart: { total: 0 } };
  const { child, url, ask } = await startServer(options, BALLAST_MB);
  const file = write(folder, 'sh');
  await deploy(url, 'sh');
  const pool = new Pool(url);
  const nothing: number[] = [];
  const direct: number[] = [];
  const platform: number[] = [];
  const lap = async (act: () => Promise<unknown>): Promise<number> => {
    await ask('lap');
    await act();
    return Number(await ask('lap'));
  };
  for (let round = 0; round < rounds * 4; round += 1) {
    nothing.push(await lap(() => new Promise((resolve) => setTimeout(resolve, 10))));
    direct.push(await lap(() => ask(`spawn ${file}`)));
    platform.push(await lap(() => call(pool, 'sh')));
  }
  await pool.close();
  await stop(child);
  console.log(`\n(8) longest stop of the event loop in one start, ${BALLAST_MB} MB resident`);
  console.log(`  doing nothing        ${figures(nothing)}`);
  console.log(`  a spawn of its own   ${figures(direct)}`);
  console.log(`  through the platform ${figures(platform)}   goal 1 ms`);
}

function figures(gaps: number[]): string {
  const sorted = [...gaps].sort((a, b) => a - b);
  return `median ${median(sorted).toFixed(2)} ms, at most ${(sorted.at(-1) ?? Number.NaN).toFixed(2)} ms`;
}

interface Server {
  readonly child: ChildProcess;
  readonly url: string;
  /** Says a line and gives the answer. */
  ask(line: string): Promise<string>;
}

export async function startServer(options: object, ballastMb = 0): Promise<Server> {
  const child = spawn(
    process.execPath,
    [SERVER, JSON.stringify({ options: { port: 0, ...options }, ballastMb })],
    {
      env: { PATH },
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  const url = await next();
  return {
    child,
    url,
    ask(line) {
      child.stdin.write(`${line}\n`);
      return next();
    },
  };
}

export async function stop(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.stdin?.end();
  await ended;
}

function write(folder: string, name: 'sh' | 'node'): string {
  mkdirSync(join(folder, name), { recursive: true });
  const file = join(folder, name, 'bootstrap');
  writeFileSync(file, BOOTSTRAPS[name]);
  chmodSync(file, 0o755);
  return file;
}

export async function deploy(url: string, name: 'sh' | 'node'): Promise<void> {
  const { bytes } = await packageFiles([
    { path: 'bootstrap', bytes: Buffer.from(BOOTSTRAPS[name]), mode: 0o755 },
  ]);
  const headers = { 'content-type': 'application/zip' };
  const body = Buffer.from(bytes);
  const reply = await fetch(`${url}/api/functions/${name}`, { method: 'PUT', headers, body });
  if (!reply.ok) throw new Error(`deploying ${name}: ${await reply.text()}`);
}

async function modeOf(url: string): Promise<string> {
  const { isolation } = (await (await fetch(`${url}/api`)).json()) as { isolation: { mode: string } };
  return isolation.mode === 'sandbox' ? 'in the sandbox' : 'no sandbox here';
}

function called(name: string, url: string, id: string, calls: number, pauseMs: number): Variant {
  const pool = new Pool(url);
  return { name, measure: () => rate(calls, () => call(pool, id), pauseMs) };
}

export async function call(pool: Pool, id: string): Promise<{ readonly cold_start?: boolean }> {
  const { body } = await pool.request({
    path: `/api/functions/${id}/invoke`,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"job_id":0,"args":[1]}',
  });
  const reply = (await body.json()) as { success: boolean; cold_start?: boolean };
  if (!reply.success) throw new Error(`a call of ${id} failed`);
  return reply;
}

async function bareStart(file: string): Promise<void> {
  const child = spawn(file, { env: { PATH }, stdio: ['pipe', 'pipe', 'ignore'] });
  child.stdout.resume();
  child.stdin.end('{"job_id":0,"args":[1]}');
  await once(child, 'close');
}

async function rate(calls: number, act: () => Promise<unknown>, pauseMs: number): Promise<number> {
  let busyMs = 0;
  for (let n = 0; n < calls; n += 1) {
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    const startMs = performance.now();
    await act();
    busyMs += performance.now() - startMs;
  }
  return calls / (busyMs / 1000);
}
