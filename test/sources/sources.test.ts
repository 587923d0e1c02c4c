import { createReadStream } from 'node:fs';
import { PassThrough, Readable, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { defineJob, JobRunner, type Outcome, type ProducerItem } from '../../src/index.js';
import { channel, fromNdjson, toNdjson } from '../../src/sources/index.js';
import { delay } from '../support/invoker.js';

const square = defineJob({ id: 0, name: 'square', handler: (n: number) => n * n });

describe('fromNdjson', () => {
  it('reads requests by id and by name; a bad line becomes a failed outcome that tells its number', async () => {
    const text =
      '{"jobId":0,"input":2}\r\n\n{"jobName":"square","input":3,"metadata":{"a":"1"}}\nnot json\n[1]\n';
    const outcomes: Outcome[] = [];
    await JobRunner.builder()
      .job(square)
      .producer(fromNdjson(Readable.from([text.slice(0, 30), text.slice(30)])))
      .consumer((outcome) => outcomes.push(outcome))
      .run();
    const byInput = (status: string) => outcomes.filter((outcome) => outcome.status === status);
    expect(byInput('ok').map(({ value }) => value)).toEqual([4, 9]);
    expect(
      byInput('failed').map(({ input }) => (input as { line: number } | number as { line: number }).line),
    ).toEqual([4, 5]);
  });

  it('a last line without newline counts', async () => {
    const items = await Array.fromAsync(fromNdjson(Readable.from(['{"jobId":1,"input":null}'])));
    expect(items).toEqual([{ jobId: 1, input: null }]);
  });

  it('a runner that stops ends its wait for a line and lets go of the stream', async () => {
    const stdin = new PassThrough();
    const runner = JobRunner.builder().job(square).producer(fromNdjson(stdin)).build();
    const run = runner.run();
    stdin.write('{"jobId":0,"input":2}\n');
    await delay(10);
    void runner.stop();
    expect(await run).toMatchObject({ ok: 1 });
    expect(stdin.destroyed).toBe(true);
  });

  it.each([
    ['before it is read', 20],
    ['while it is read', 0],
  ])('a stream that fails %s is a fault of the producer', async (_when, waitMs) => {
    const source = fromNdjson(createReadStream('/nonexistent/requests.ndjson'));
    await delay(waitMs);
    const runner = JobRunner.builder().job(square).producer(source).build();
    const errors: unknown[] = [];
    runner.on('producerError', ({ error }) => errors.push(error));
    await runner.run();
    expect(errors).toMatchObject([{ code: 'ENOENT' }]);
  });

  it('a stream that was destroyed without an error is over', async () => {
    const stream = new PassThrough();
    const items = Array.fromAsync(fromNdjson(stream));
    stream.write('{"jobId":0}\n');
    await delay(5);
    stream.destroy();
    expect(await items).toEqual([{ jobId: 0 }]);
    expect(await Array.fromAsync(fromNdjson(stream))).toEqual([]);
  });
});

describe('toNdjson', () => {
  it('writes one parseable line an outcome, bytes as base64, errors as data', async () => {
    const out = new PassThrough();
    const bytes = defineJob({ id: 1, name: 'bytes', codec: 'bytes', handler: (b: Uint8Array) => b });
    const bad = defineJob({
      id: 2,
      name: 'bad',
      handler: () => {
        throw new Error('a\nb');
      },
    });
    await JobRunner.builder()
      .job(bytes)
      .job(bad)
      .producer([bytes.call(new Uint8Array([0, 255])), bad.call()])
      .consumer(toNdjson(out) as (outcome: unknown) => unknown)
      .run();
    out.end();
    const lines = (await out.toArray()).join('').trimEnd().split('\n');
    const parsed = lines.map((line) => JSON.parse(line));
    expect(parsed[0]).toMatchObject({ jobName: 'bytes', status: 'ok', value: { base64: 'AP8=' } });
    expect(parsed[1]).toMatchObject({ status: 'failed', error: { code: 'FUNCTION_ERROR' } });
  });

  it('waits while the stream is full', async () => {
    const written: string[] = [];
    const slow = new Writable({
      highWaterMark: 1,
      write(chunk, _encoding, done) {
        written.push(String(chunk));
        setTimeout(done, 5);
      },
    });
    await JobRunner.builder()
      .job(square)
      .producer([square.call(1), square.call(2), square.call(3)])
      .consumer(toNdjson(slow) as (outcome: unknown) => unknown)
      .run();
    expect(written).toHaveLength(3);
  });

  it.each([1, 16_384])(
    'a reader that goes away parks what is left and ends no process (%i)',
    async (highWaterMark) => {
      const broken = new Writable({
        highWaterMark,
        write: (_chunk, _encoding, done) =>
          setTimeout(() => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })), 1),
      });
      const reasons: unknown[] = [];
      const runner = JobRunner.builder()
        .job(square)
        .producer(Array.from({ length: 5 }, (_, n) => square.call(n)))
        .consumer(async (outcome) => {
          await delay(2);
          await write(outcome as Outcome);
        })
        .build();
      const write = toNdjson(broken);
      runner.on('consumerError', ({ error }) => reasons.push(error));
      await runner.run();
      expect(reasons[0]).toMatchObject({ code: 'UNAVAILABLE', cause: { code: 'EPIPE' } });
    },
  );
});

describe('channel', () => {
  it('hands over what is pushed, in order; push resolves when it is taken', async () => {
    const inbox = channel<ProducerItem>();
    const values: unknown[] = [];
    const run = JobRunner.builder()
      .job(square)
      .producer(inbox)
      .consumer(({ value }) => values.push(value))
      .run();
    for (let n = 1; n <= 5; n += 1) await inbox.push(square.call(n));
    inbox.end();
    expect(await run).toMatchObject({ ok: 5 });
    expect(values).toEqual([1, 4, 9, 16, 25]);
    await expect(inbox.push(square.call(1))).rejects.toMatchObject({ code: 'CONFIG' });
  });

  it('takes a flood that nobody waits for in linear time', async () => {
    const inbox = channel<number>();
    const count = 300_000;
    for (let n = 0; n < count; n += 1) void inbox.push(n);
    inbox.end();
    const startMs = performance.now();
    let sum = 0;
    for await (const n of inbox) sum += n;
    expect(sum).toBe((count * (count - 1)) / 2);
    // A queue that moves all its items for each one takes more than 20 s.
    expect(performance.now() - startMs).toBeLessThan(5000);
  });

  it('stop() is heard while it waits; later pushes are refused, not lost', async () => {
    const inbox = channel<ProducerItem>();
    const runner = JobRunner.builder().job(square).producer(inbox).build();
    const run = runner.run();
    await inbox.push(square.call(1));
    await delay(5);
    await runner.stop();
    expect(await run).toMatchObject({ ok: 1 });
    await expect(inbox.push(square.call(1))).rejects.toMatchObject({ code: 'UNAVAILABLE', executed: 'no' });
  });
});
