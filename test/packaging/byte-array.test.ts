import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeByteArray, scanByteArray } from '../../src/packaging/bootstrap/byte-array.js';
import { readRequest } from '../../src/packaging/bootstrap/request.js';

describe('the byte array codec', () => {
  it('writes what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
        expect(encodeByteArray(bytes).toString()).toBe(JSON.stringify([...bytes]));
      }),
    );
  });

  it('writes and reads every value', () => {
    const all = Uint8Array.from({ length: 256 }, (_, value) => value);
    expect(encodeByteArray(all).toString()).toBe(JSON.stringify([...all]));
    expect(scanByteArray(encodeByteArray(all), 0)?.bytes).toEqual(all);
  });

  it('reads back what it wrote, wherever it stands in a text', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.string(), (bytes, after) => {
        const text = Buffer.concat([encodeByteArray(bytes), Buffer.from(after)]);
        expect(scanByteArray(text, 0)).toEqual({ bytes, end: text.length - Buffer.byteLength(after) });
      }),
    );
  });

  it('leaves to JSON.parse what is not plain', () => {
    const odd = [
      '[256]',
      '[-1]',
      '[1.5]',
      '[1e1]',
      '[01]',
      '[ 1]',
      '[1,]',
      '[,1]',
      '[1',
      '[',
      '',
      '{}',
      '[1000]',
      '["1"]',
    ];
    expect(odd.filter((text) => scanByteArray(Buffer.from(text), 0) !== undefined)).toEqual([]);
  });
});

describe('reading a request', () => {
  const read = (value: unknown) =>
    readRequest(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));

  it('agrees with JSON.parse whatever else the request holds, and in any order', () => {
    const fields = fc.record({
      job_id: fc.nat(),
      args: fc.array(fc.integer({ min: 0, max: 255 })),
      metadata: fc.dictionary(fc.string(), fc.string()),
      call_id: fc.string(),
      extra: fc.jsonValue(),
    });
    fc.assert(
      fc.property(
        fields,
        fc.shuffledSubarray(['job_id', 'args', 'metadata', 'call_id', 'extra'], { minLength: 5 }),
        fc.boolean(),
        (value, order, spaced) => {
          const ordered = Object.fromEntries(order.map((key) => [key, value[key as keyof typeof value]]));
          const call = read(JSON.stringify(ordered, null, spaced ? 1 : 0));
          expect([...call.args]).toEqual(value.args);
          expect(call.jobId).toBe(value.job_id);
          expect(call.callId).toBe(value.call_id);
          expect(call.metadata).toEqual(JSON.parse(JSON.stringify(value.metadata)));
        },
      ),
    );
  });

  it.each([
    ['another args inside a string', '{"job_id":1,"call_id":"\\"args\\":[1]","args":[2]}', [2]],
    ['another args in an object before', '{"job_id":1,"x":{"args":[1]},"args":[]}', []],
    ['another args in an object after', '{"job_id":1,"args":[2],"x":{"args":[1]}}', [2]],
    ['args twice: the last counts, as in JSON.parse', '{"job_id":1,"args":[1],"args":[]}', []],
    ['a key that ends like args', '{"job_id":1,"\\"args":[1],"args":[]}', []],
  ])('is not fooled by %s', (_, text, args) => expect([...read(text).args]).toEqual(args));

  it.each([
    ['no args', { job_id: 1 }],
    ['args as a string', { job_id: 1, args: 'abc' }],
    ['a number that is no byte', { job_id: 1, args: [256] }],
    ['a fraction', { job_id: 1, args: [1.5] }],
    ['no job id', { args: [] }],
    ['a job id beyond 32 bits (origin-defects 0.19)', { job_id: 2 ** 32 + 1, args: [] }],
    ['a list', []],
    ['no JSON', 'hello'],
    ['nothing', ''],
  ])('refuses %s', (_, value) => expect(() => read(value)).toThrow());

  it('works with what a platform of spec 1.0 sends: nothing but id and args', () => {
    expect(read({ job_id: 7, args: [1] })).toMatchObject({ attempt: 1, deadline: Infinity, metadata: {} });
  });
});
