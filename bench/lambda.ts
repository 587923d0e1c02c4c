/** (3): calls through LambdaExecutor against the SDK's InvokeCommand: requests per second, and what each costs in CPU. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { compare, print, type Variant } from './compare.ts';

const IN_FLIGHT = 16;
const CALLS = 4000;
/** Laps until a process has compiled what it runs: the two need it alike, and their garbage is their own. */
const WARM_LAPS = 6;

interface Rates {
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

export async function lambdaBench(rounds: number): Promise<void> {
  await using server = start('lambda-server.mjs', []);
  const endpoint = `http://127.0.0.1:${await server.line()}`;
  const settings = [endpoint, String(IN_FLIGHT), String(CALLS)];
  await using sdk = start('lambda-client.mjs', ['sdk', ...settings]);
  await using jobferry = start('lambda-client.mjs', ['jobferry', ...settings]);
  const laps: [name: string, lap: () => Promise<Rates>][] = [
    ['InvokeCommand of the SDK', () => sdk.lap()],
    ['jobferry', () => jobferry.lap()],
  ];
  for (const [, lap] of laps) for (let n = 0; n < WARM_LAPS; n += 1) await lap();
  const rate = (key: keyof Rates) =>
    laps.map(([name, lap]): Variant => ({ name, measure: async () => (await lap())[key] }));
  const title = `(3) a call of Lambda, 100 B, ${IN_FLIGHT} in flight`;
  print(title, 'calls/s', await compare(rate('perSecond'), rounds), { jobferry: '6x' });
  const perCpu = await compare(rate('perCpuSecond'), rounds);
  print('', 'calls per second of client CPU', perCpu, { jobferry: '6x' });
}

function start(script: string, args: readonly string[]) {
  const child = spawn(process.execPath, [fileURLToPath(new URL(`./${script}`, import.meta.url)), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {},
  });
  const line = lines(child);
  return {
    line,
    async lap(): Promise<Rates> {
      child.stdin.write('\n');
      return JSON.parse(await line());
    },
    async [Symbol.asyncDispose]() {
      child.kill();
    },
  };
}

/** The next line of a child's stdout. */
function lines({ stdout }: ChildProcessByStdio<Writable, Readable, null>): () => Promise<string> {
  const iterator = createInterface({ input: stdout })[Symbol.asyncIterator]();
  return async () => {
    const { value, done } = await iterator.next();
    if (done) throw new Error('The process of a bench ended before it answered.');
    return value;
  };
}
