/** (6): a megabyte there and back, end to end, in three encodings. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { callContext, type JobCall } from 'jobferry';
import { HttpFaasExecutor } from 'jobferry/custom-http';
import { Pool } from 'undici';
import { compare, print, type Variant } from './compare.ts';

const BYTES = 1_000_000;
const args = Uint8Array.from({ length: BYTES }, (_, n) => (n * 37) % 256);
const facts = { attempt: 1, deadline: Infinity, idempotent: false, metadata: {} };

export async function payloadBench(rounds: number): Promise<void> {
  const server = spawn(
    process.execPath,
    [fileURLToPath(new URL('./echo-bytes-server.mjs', import.meta.url))],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {},
    },
  );
  try {
    const [port] = await once(createInterface({ input: server.stdout }), 'line');
    const origin = `http://127.0.0.1:${port}`;
    const binary = ferry(origin);
    const unit = 'calls/s, one at a time';
    const base64Rows = await compare([json(origin, 'base64', 10), byHand(origin), binary], rounds);
    print('(6) 1 MB there and back through HttpFaasExecutor (spec 1.1) against JSON', unit, base64Rows, {
      [binary.name]: '10x',
    });
    const arrays = await compare([json(origin, 'numbers', 2), binary], Math.min(rounds, 7));
    print('', unit, arrays, { [binary.name]: '100x' });
  } finally {
    server.kill();
  }
}

async function rate(calls: number, send: (n: number) => Promise<number>): Promise<number> {
  const startMs = performance.now();
  for (let n = 0; n < calls; n += 1) {
    const length = await send(n);
    if (length !== BYTES) throw new Error(`${length} bytes came back`);
  }
  return calls / ((performance.now() - startMs) / 1000);
}

let count = 0;
function ferry(origin: string): Variant {
  const executor = new HttpFaasExecutor({ baseUrl: origin, spec: '1.1' });
  return {
    name: 'jobferry, binary',
    measure: () =>
      rate(100, async () => {
        count += 1;
        const call: JobCall = { jobId: 0, args, callId: `bench-${count}`, ...facts };
        return (await executor.invoke(call, callContext())).result.length;
      }),
  };
}

/** The floor of the machine: the same bytes without a client of ours. */
function byHand(origin: string): Variant {
  const pool = new Pool(origin);
  const headers = { 'content-type': 'application/octet-stream' };
  return {
    name: 'undici by hand, binary',
    measure: () =>
      rate(100, async () => {
        const { body } = await pool.request({ path: '/', method: 'POST', headers, body: args });
        return (await body.arrayBuffer()).byteLength;
      }),
  };
}

/** What one writes by hand, with undici. */
function json(origin: string, encoding: 'base64' | 'numbers', calls: number): Variant {
  const pool = new Pool(origin);
  const headers = { 'content-type': 'application/json' };
  const encode = () =>
    encoding === 'base64'
      ? JSON.stringify({ job_id: 0, args_base64: Buffer.from(args).toString('base64') })
      : JSON.stringify({ job_id: 0, args: Array.from(args) });
  return {
    name: encoding === 'base64' ? 'JSON with base64' : 'JSON with an array of numbers',
    measure: () =>
      rate(calls, async () => {
        const path = '/api/functions/job0/invoke';
        const { body } = await pool.request({ path, method: 'POST', headers, body: encode() });
        const { result, result_base64 } = JSON.parse(await body.text());
        return encoding === 'base64'
          ? Buffer.from(result_base64, 'base64').length
          : Uint8Array.from(result).length;
      }),
  };
}
