import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { readEvents } from '../../src/executors/aws-lambda/event-stream.js';
import { LambdaExecutor } from '../../src/executors/aws-lambda/index.js';
import { frame, invokeComplete, payloadChunk } from '../fakes/aws-event-stream.js';
import { KEYS, REGION } from '../fakes/aws-lambda.js';
import { bench, callOf, failureOf } from './setup.js';

async function* piecesOf(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of source) all.push(one);
  return all;
}

describe('frames of an event stream', () => {
  it('are read as they were written, however the bytes are cut', async () => {
    const headers = fc.dictionary(fc.string({ minLength: 1, maxLength: 20 }), fc.string());
    const events = fc.array(fc.tuple(headers, fc.uint8Array({ maxLength: 300 })), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(events, fc.integer({ min: 1, max: 50 }), async (written, size) => {
        const bytes = Buffer.concat(written.map(([head, payload]) => frame(head, payload)));
        const read = await collect(readEvents(piecesOf(bytes, size)));
        expect(read.map((event) => [event.headers, [...event.payload]])).toEqual(
          written.map(([head, payload]) => [{ ...head }, [...payload]]),
        );
      }),
    );
  });

  it('with any byte flipped or cut off are refused, and never read wrongly', async () => {
    const whole = payloadChunk(Buffer.from('some bytes of a result'));
    for (let at = 0; at < whole.length; at += 1) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 0x40;
      await expect(collect(readEvents(piecesOf(damaged, 7)))).rejects.toThrow(RangeError);
    }
    for (let length = 1; length < whole.length; length += 1) {
      await expect(collect(readEvents(piecesOf(whole.subarray(0, length), 7)))).rejects.toThrow(RangeError);
    }
  });
});

const counting = defineJob({
  id: 1,
  name: 'counting',
  async handler(last: number) {
    return (async function* () {
      for (let n = 1; n <= last; n += 1) {
        if (n === 4) throw new RangeError('no further than three');
        yield Buffer.from(`${n};`);
      }
    })();
  },
});
const plain = defineJob({ id: 2, name: 'plain', handler: (text: string) => text.toUpperCase() });
const input = (value: unknown) => ({ args: Buffer.from(JSON.stringify(value)) });

describe('a call whose result comes in pieces', () => {
  it('gives the pieces of a job that yields them, and any other output as one', async () => {
    await using it = await bench({ jobs: [counting, plain] });
    await it.deploy(1, { aws: { streaming: true } } as object);
    await it.deploy(2, { aws: { streaming: true } } as object);
    const counted = await collect(it.executor.invokeStream(callOf(1, input(3)), callContext()));
    expect(Buffer.concat(counted).toString()).toBe('1;2;3;');
    const upper = await collect(it.executor.invokeStream(callOf(2, input('loud')), callContext()));
    expect(Buffer.concat(upper).toString()).toBe('"LOUD"');
    expect(it.fake.functions.get('jobferry-job-1').configuration['Handler']).toBe('index.stream');
  });

  it('fails after its pieces, with what the handler threw', async () => {
    await using it = await bench({ jobs: [counting] });
    await it.deploy(1, { aws: { streaming: true } } as object);
    const seen: string[] = [];
    const error = await failureOf(
      (async () => {
        for await (const piece of it.executor.invokeStream(callOf(1, input(9)), callContext())) {
          seen.push(Buffer.from(piece).toString());
        }
      })(),
    );
    expect(seen.join('')).toBe('1;2;3;');
    expect(error).toMatchObject({
      code: 'FUNCTION_ERROR',
      executed: 'yes',
      remote: { name: 'RangeError', message: 'no further than three' },
    });
  });

  it('is refused like any other: no such function, throttled, expired credentials renewed once', async () => {
    await using it = await bench({ jobs: [plain] });
    const missing = collect(it.executor.invokeStream(callOf(2, input('a')), callContext()));
    expect(await failureOf(missing)).toMatchObject({ code: 'NOT_FOUND', executed: 'no' });
    await it.deploy(2);
    it.fake.fault('InvokeWithResponseStream', { status: 429, type: 'TooManyRequestsException' });
    const throttled = collect(it.executor.invokeStream(callOf(2, input('a')), callContext()));
    expect(await failureOf(throttled)).toMatchObject({ code: 'THROTTLED', executed: 'no' });
  });

  it('needs a package that knows how', async () => {
    await using it = await bench({});
    const deploy = it.deploy(1, { aws: { streaming: true, handler: 'mine.handler' } } as object);
    expect(await failureOf(deploy)).toMatchObject({ code: 'UNSUPPORTED', executed: 'no' });
  });
});

/** A server that sends frames when it is told to. */
async function dripping() {
  const writers: ((bytes: Uint8Array | 'end' | 'reset') => void)[] = [];
  const server = createServer((incoming, outgoing) => {
    incoming.resume();
    outgoing.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' });
    writers.push((bytes) => {
      if (bytes === 'end') outgoing.end();
      else if (bytes === 'reset') outgoing.destroy();
      else outgoing.write(bytes);
    });
    outgoing.flushHeaders();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const executor = new LambdaExecutor({ region: REGION, endpoint, credentials: KEYS });
  return {
    executor,
    write: async (bytes: Uint8Array | 'end' | 'reset') => {
      await expect.poll(() => writers.length).toBeGreaterThan(0);
      writers.at(-1)?.(bytes);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await executor.close();
    },
  };
}

describe('a stream on the wire', () => {
  it('is read while it comes', async () => {
    await using it = await dripping();
    const pieces = it.executor.invokeStream(callOf(1), callContext())[Symbol.asyncIterator]();
    const first = pieces.next();
    await it.write(payloadChunk(Buffer.from('one')));
    expect(Buffer.from((await first).value).toString()).toBe('one');
    await it.write(payloadChunk(Buffer.from('two')));
    expect(Buffer.from((await pieces.next()).value).toString()).toBe('two');
    await it.write(invokeComplete());
    await it.write('end');
    expect((await pieces.next()).done).toBe(true);
  });

  it.each([
    ['ends without InvokeComplete', 'end', 'PROTOCOL'],
    ['breaks', 'reset', 'PROTOCOL'],
  ] as const)('that %s is no result: the function ran, how far is unknown', async (_, ending, code) => {
    await using it = await dripping();
    const all = collect(it.executor.invokeStream(callOf(1), callContext()));
    await it.write(payloadChunk(Buffer.from('one')));
    await it.write(ending);
    const error = await failureOf(all);
    expect(error.code).toBe(code);
    expect(error.executed).not.toBe('no');
  });

  it('stops at the deadline of its call', async () => {
    await using it = await dripping();
    const all = collect(it.executor.invokeStream(callOf(1), callContext({ timeoutMs: 200 })));
    await it.write(payloadChunk(Buffer.from('one')));
    expect(await failureOf(all)).toMatchObject({ code: 'TIMEOUT', executed: 'maybe' });
  });
});
