/** Contract: what goes in arrives, what comes out comes back. */
import { callContext } from '../core/scope.js';
import { contractCall, invoke, toBytes, toText } from './contract-calls.js';
import { CONFUSABLE_IDS, CONTRACT_IDS, type Inspection } from './contract-jobs.js';
import type { Bench, ContractCase } from './contract-types.js';
import { seededRandom } from './seeded-random.js';

const { echo, inspect } = CONTRACT_IDS;

const random = seededRandom(7);
const PAYLOADS: Record<string, Uint8Array> = {
  'no bytes at all': new Uint8Array(0),
  'one zero byte': Uint8Array.of(0),
  'one byte 255': Uint8Array.of(255),
  'every byte value': Uint8Array.from({ length: 256 }, (_, index) => index),
  'bytes that are no UTF-8': Uint8Array.of(0xc3, 0x28, 0xed, 0xa0, 0x80, 0xff, 0xfe),
  'a byte order mark': Uint8Array.of(0xef, 0xbb, 0xbf, 0x61),
  'line ends and control characters': toBytes('\r\n\0\u001b[31m\u2028\n\n'),
  'text that looks like the wire': toBytes('{"result":[1,2],"success":false,"__proto__":{"a":1}}'),
  '64 KiB of noise': Uint8Array.from({ length: 65_536 }, () => Math.floor(random() * 256)),
};

async function inspection(
  bench: Bench,
  call = contractCall(inspect),
  context = callContext(),
): Promise<Inspection> {
  return JSON.parse(toText((await invoke(bench, call, context)).result)) as Inspection;
}

export const callCases: readonly ContractCase[] = [
  ...Object.entries(PAYLOADS).map(
    ([what, payload]): ContractCase => ({
      title: `carries ${what} there and back`,
      jobs: [echo],
      run: async (bench) => {
        const { result } = await invoke(bench, contractCall(echo, payload));
        bench.expect([...result]).toEqual([...payload]);
      },
    }),
  ),
  ...CONFUSABLE_IDS.map(
    (id): ContractCase => ({
      title: `job ${id} is job ${id} and no other`,
      jobs: CONFUSABLE_IDS,
      run: async (bench) => {
        bench.expect(toText((await invoke(bench, contractCall(id))).result)).toBe(String(id));
      },
    }),
  ),
  {
    title: 'carries a payload of exactly the stated limit',
    needs: 'payload-limit',
    jobs: [echo],
    run: async (bench) => {
      const size = bench.executor.limits.maxPayloadBytes ?? 0;
      bench.expect(size > 0).toBe(true);
      const { result } = await invoke(bench, contractCall(echo, new Uint8Array(size).fill(7)));
      bench.expect(result.length).toBe(size);
    },
  },
  {
    title: 'leaves the caller’s bytes as they were',
    jobs: [echo],
    run: async (bench) => {
      const args = toBytes('unchanged');
      const { result } = await invoke(bench, contractCall(echo, args));
      result.fill(0);
      bench.expect(toText(args)).toBe('unchanged');
    },
  },
  {
    title: 'tells the function its job id, call id and attempt',
    needs: 'call-id',
    jobs: [inspect],
    run: async (bench) => {
      const call = contractCall(inspect);
      const { jobId, callId, attempt } = await inspection(bench, call);
      bench.expect({ jobId, callId, attempt }).toEqual({ jobId: inspect, callId: call.callId, attempt: 1 });
    },
  },
  {
    title: 'sends the same call id with every attempt',
    needs: 'call-id',
    jobs: [inspect],
    run: async (bench) => {
      const call = contractCall(inspect);
      const seen = [];
      for (const attempt of [1, 2, 3]) seen.push(await inspection(bench, { ...call, attempt }));
      bench.expect(seen.map(({ callId }) => callId)).toEqual([call.callId, call.callId, call.callId]);
      bench.expect(seen.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    },
  },
  ...[
    { what: 'metadata', metadata: { tenant: 'north', 'trace-id': '00-4bf9' } },
    { what: 'metadata that is not ASCII', metadata: { Größe: 'naïve 🚢', quote: '"\\\n' } },
    { what: 'no metadata', metadata: {} },
  ].map(
    ({ what, metadata }): ContractCase => ({
      title: `carries ${what} to the function and back on the result`,
      needs: 'metadata',
      jobs: [inspect],
      run: async (bench) => {
        const result = await invoke(bench, contractCall(inspect, '', { metadata }));
        bench.expect((JSON.parse(toText(result.result)) as Inspection).metadata).toEqual(metadata);
        bench.expect({ ...result.metadata }).toEqual(metadata);
      },
    }),
  ),
  {
    title: 'tells the function the deadline',
    needs: 'deadline',
    jobs: [inspect],
    run: async (bench) => {
      const context = callContext({ timeoutMs: 30_000 });
      const call = contractCall(inspect, '', { deadline: context.deadline });
      const { deadline } = await inspection(bench, call, context);
      // Two clocks and a network lie between: the function may be told somewhat less, hardly more.
      const offByMs = Math.abs((deadline ?? Infinity) - context.deadline);
      bench.expect(offByMs < 5_000).toBe(true);
    },
  },
  {
    title: 'answers fifty calls at once, each with its own result',
    jobs: [echo],
    run: async (bench) => {
      const texts = Array.from({ length: 50 }, (_, index) => `call ${index}`);
      const results = await Promise.all(texts.map((text) => invoke(bench, contractCall(echo, text))));
      bench.expect(results.map(({ result }) => toText(result))).toEqual(texts);
    },
  },
  {
    title: 'measures the call and invents no figure',
    jobs: [echo],
    run: async (bench) => {
      const { metrics } = await invoke(bench, contractCall(echo, 'x'));
      const { requestId: _id, coldStart: _cold, provider: _who, ...figures } = metrics;
      for (const figure of Object.values(figures)) {
        bench.expect(typeof figure === 'number' && figure >= 0 && Number.isFinite(figure)).toBe(true);
      }
      bench
        .expect(metrics.executionMs === undefined || metrics.executionMs <= metrics.totalMs + 5)
        .toBe(true);
    },
  },
];
