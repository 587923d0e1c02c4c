import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readBinaryRequest, readRequest } from '../../src/packaging/bootstrap/request.js';

describe('reading a request', () => {
  const read = (value: unknown) =>
    readRequest(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))).call;

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
    ['base64 with a stranger in it', { job_id: 1, args_base64: 'YW!Jj' }],
    ['base64 that is no text', { job_id: 1, args_base64: 7 }],
    ['a list', []],
    ['no JSON', 'hello'],
    ['nothing', ''],
  ])('refuses %s', (_, value) => expect(() => read(value)).toThrow());

  it('takes base64 where a cloud sends it, and says so, for the answer', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (args) => {
        const text = JSON.stringify({ job_id: 1, args_base64: Buffer.from(args).toString('base64') });
        const { call, form } = readRequest(Buffer.from(text));
        expect([form, ...call.args]).toEqual(['base64', ...args]);
      }),
    );
    expect(readRequest(Buffer.from('{"job_id":1,"args":[]}')).form).toBe('array');
  });

  it('works with what a platform of spec 1.0 sends: nothing but id and args', () => {
    expect(read({ job_id: 7, args: [1] })).toMatchObject({ attempt: 1, deadline: Infinity, metadata: {} });
  });
});

describe('reading a binary-1 request', () => {
  const framed = (fields: object, args: Uint8Array) =>
    Buffer.concat([Buffer.from(`${JSON.stringify(fields)}\n`), args]);

  it('takes any bytes as they are, line ends included, and every field of the call', () => {
    const metadata = fc.dictionary(fc.string(), fc.string());
    fc.assert(
      fc.property(fc.uint8Array(), metadata, fc.nat(), fc.string(), (args, sent, jobId, callId) => {
        const fields = { job_id: jobId, call_id: callId, attempt: 2, deadline_ms: 5, metadata: sent };
        const call = readBinaryRequest(framed({ ...fields, args_length: args.length }, args));
        expect([...(call?.args ?? [])]).toEqual([...args]);
        expect(call).toMatchObject({ jobId, callId, attempt: 2, deadline: 5 });
        expect(call?.metadata).toEqual(JSON.parse(JSON.stringify(sent)));
      }),
    );
  });

  it('leaves every JSON request to the other form, whatever it holds and however it is indented', () => {
    const fields = fc.record({
      job_id: fc.nat(),
      args: fc.array(fc.integer({ min: 0, max: 255 })),
      args_length: fc.option(fc.nat(), { nil: undefined }),
      metadata: fc.dictionary(fc.constantFrom('args_length', 'a'), fc.string()),
    });
    fc.assert(
      fc.property(fields, fc.constantFrom(0, 1), fc.constantFrom('', '\n', '\n\n'), (value, indent, end) => {
        const text = Buffer.from(JSON.stringify(value, null, indent) + end);
        expect(readBinaryRequest(text)).toBeUndefined();
        expect([...readRequest(text).call.args]).toEqual(value.args);
      }),
    );
  });

  it.each([
    ['fewer bytes than announced', 5],
    ['more bytes than announced', 3],
    ['no number', '4'],
    ['half a byte', 4.5],
  ])('refuses %s', (_, length) => {
    const stdin = framed({ job_id: 1, args_length: length }, Uint8Array.of(1, 2, 3, 4));
    expect(() => readBinaryRequest(stdin)).toThrow(/announces/);
  });

  it('refuses a job id beyond 32 bits (origin-defects 0.19)', () => {
    const stdin = framed({ job_id: 2 ** 32 + 1, args_length: 0 }, new Uint8Array(0));
    expect(() => readBinaryRequest(stdin)).toThrow(/Job id/);
  });
});
