/** (1) and (2): the whole path of a FaaS job against bare HTTP clients sending the same bytes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent } from 'node:http';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import axios from 'axios';
import { defineJob, JobRunner } from 'jobferry';
import { HttpFaasExecutor } from 'jobferry/custom-http';
import { Pool } from 'undici';
import { compare, print, type Variant } from './compare.ts';

const job = defineJob<0, 'bench', Uint8Array, Uint8Array>({ id: 0, name: 'bench', codec: 'bytes' });

export async function httpBench(rounds: number): Promise<void> {
  const server = spawn(process.execPath, [fileURLToPath(new URL('./echo-server.mjs', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {},
  });
  try {
    const [port] = await once(createInterface({ input: server.stdout }), 'line');
    const origin = `http://127.0.0.1:${port}`;
    for (const bodyBytes of [100, 10_000]) {
      for (const inFlight of [16, 64]) {
        const calls = bodyBytes > 1000 ? 6_000 : 12_000;
        const shape = { origin, inFlight, calls, ...payload(bodyBytes) };
        const variants = [undiciRequest(shape), jobferry(shape)];
        const goals: Record<string, string> = { jobferry: bodyBytes > 1000 ? '0.9x' : '1.0x' };
        print(
          `(1) runner + retry + deadline + HttpFaasExecutor, ${bodyBytes} B body, ${inFlight} in flight`,
          'calls/s',
          await compare(variants, rounds),
          goals,
        );
      }
    }
    const shape = { origin, inFlight: 16, calls: 4_000, ...payload(100) };
    print(
      '(2) the same against the usual clients, 100 B body, 16 in flight',
      'calls/s',
      [...(await compare([globalFetch(shape), jobferry(shape)], rounds))],
      { jobferry: '5x' },
    );
    print('', 'calls/s', await compare([axiosPost(shape), jobferry(shape)], rounds), { jobferry: '4x' });
  } finally {
    server.kill();
  }
}

interface Shape {
  readonly origin: string;
  readonly inFlight: number;
  readonly calls: number;
  readonly args: Uint8Array;
  /** What the executor will write for `args`. */
  readonly body: string;
}

const PATH = '/api/functions/job0/invoke';

/** Arguments whose request body has about `bodyBytes` bytes. */
function payload(bodyBytes: number): Pick<Shape, 'args' | 'body'> {
  const args: number[] = [];
  const text = () => `{"job_id":0,"args":[${args.join(',')}]}`;
  let length = text().length;
  while (length < bodyBytes) {
    const byte = (args.length * 37) % 256;
    args.push(byte);
    length += String(byte).length + 1;
  }
  return { args: Uint8Array.from(args), body: text() };
}

/** Runs `send` `calls` times, `inFlight` at once; calls per second. */
async function rate({ calls, inFlight }: Shape, send: () => Promise<void>): Promise<number> {
  let left = calls;
  const lane = async () => {
    while (left > 0) {
      left -= 1;
      await send();
    }
  };
  const startMs = performance.now();
  await Promise.all(Array.from({ length: inFlight }, lane));
  return calls / ((performance.now() - startMs) / 1000);
}

function undiciRequest(shape: Shape): Variant {
  const pool = new Pool(shape.origin, { connections: shape.inFlight, pipelining: 1 });
  const request = {
    path: PATH,
    method: 'POST' as const,
    headers: { 'content-type': 'application/json' },
    body: shape.body,
  };
  return {
    name: 'undici.request',
    measure: () =>
      rate(shape, async () => {
        const { body } = await pool.request(request);
        JSON.parse(await body.text());
      }),
  };
}

function globalFetch(shape: Shape): Variant {
  const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: shape.body };
  return {
    name: 'global fetch',
    measure: () =>
      rate(shape, async () => {
        await (await fetch(shape.origin + PATH, request)).json();
      }),
  };
}

function axiosPost(shape: Shape): Variant {
  const client = axios.create({ httpAgent: new Agent({ keepAlive: true, maxSockets: shape.inFlight }) });
  const headers = { 'content-type': 'application/json' };
  return {
    name: 'axios',
    measure: () =>
      rate(shape, async () => {
        await client.post(shape.origin + PATH, shape.body, { headers });
      }),
  };
}

function jobferry(shape: Shape): Variant {
  const executor = new HttpFaasExecutor({ baseUrl: shape.origin, connections: shape.inFlight });
  function* producer() {
    for (let n = 0; n < shape.calls; n += 1) yield job.call(shape.args);
  }
  return {
    name: 'jobferry',
    async measure() {
      const runner = JobRunner.builder()
        .job(job)
        .producer(producer)
        .consumer(() => {})
        .withFaasExecutor(job.id, executor)
        .concurrency(shape.inFlight)
        .build();
      const startMs = performance.now();
      const { ok } = await runner.run();
      if (ok !== shape.calls) throw new Error(`${ok} of ${shape.calls} calls were ok`);
      return shape.calls / ((performance.now() - startMs) / 1000);
    },
  };
}
