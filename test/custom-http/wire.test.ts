import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeReply, encodeCall } from '../../src/executors/custom-http/wire.ts';

const bytes = fc.uint8Array({ maxLength: 2000 });
const EVERY_BYTE = Uint8Array.from({ length: 256 }, (_, index) => index);

describe('the body of an invoke request', () => {
  it.each([0, 7, 255, 256, 300, 2 ** 32 - 1])('names job id %d untruncated', (jobId) => {
    const body = encodeCall(jobId, EVERY_BYTE).toString();
    expect(JSON.parse(body)).toEqual({ job_id: jobId, args: [...EVERY_BYTE] });
  });

  it('is byte for byte what the spec shows', () => {
    expect(encodeCall(7, Uint8Array.of(112, 97, 121)).toString()).toBe('{"job_id":7,"args":[112,97,121]}');
    expect(encodeCall(0, new Uint8Array(0)).toString()).toBe('{"job_id":0,"args":[]}');
  });
});

describe('the body of a reply', () => {
  const fields = fc.dictionary(
    fc.oneof(fc.string(), fc.constantFrom('job_id', 'metadata', 'results', 'resul', 're"sult', 'r\\esult')),
    fc.jsonValue(),
  );
  const results = fc.oneof(
    fc.array(fc.nat(255)),
    fc.array(fc.oneof(fc.integer({ min: -3, max: 300 }), fc.double(), fc.string())),
    fc.jsonValue(),
  );

  /** What a plain JSON.parse makes of it. */
  function reference(text: string) {
    const parsed = JSON.parse(text) as Record<string, unknown>;
    const { result, ...rest } = parsed;
    const isBytes =
      Array.isArray(result) && result.every((item) => Number.isInteger(item) && item >= 0 && item <= 255);
    return { rest, result: isBytes ? result.map((item: number) => item + 0) : undefined };
  }

  function read(text: string) {
    const reply = decodeReply(Buffer.from(text));
    const { result: _, ...rest } = reply?.fields ?? {};
    return { rest, result: reply?.result === undefined ? undefined : [...reply.result] };
  }

  it('is read as JSON.parse reads it, wherever `result` stands and whatever stands around it', () => {
    fc.assert(
      fc.property(
        fields,
        fields,
        results,
        fc.constantFrom('', ' ', '\n\t'),
        (before, after, result, indent) => {
          const text = JSON.stringify({ ...before, result, ...after }, null, indent);
          expect(read(text)).toEqual(reference(text));
        },
      ),
    );
  });

  it('is read as JSON.parse reads it even with strings that look like a result', () => {
    const texts = [
      '{"a":"\\"result\\":[1]","result":[2]}',
      '{"a\\"result":[1]}',
      '{"a":{"result":[1]},"result":[2]}',
      '{"result":[1],"result":[2]}',
      '{"result":[1],"re\\u0073ult":[2]}',
      '{"result":[1],"result":0}',
      '{"result":[1.0,2e0]}',
      '{"a":"}","result":[3],"b":"]\\\\"}',
    ];
    for (const text of texts) expect(read(text)).toEqual(reference(text));
  });

  it('is refused when it is no JSON object', () => {
    for (const text of [
      '',
      'null',
      '[1]',
      '"x"',
      '{"result":[1]',
      '{"result":[1]}}',
      '{"result":[1],}',
      '{"result":[1],"a":b}',
      'Internal Server Error',
    ]) {
      expect(decodeReply(Buffer.from(text))).toBeUndefined();
    }
  });

  it('agrees with JSON.parse on what is no JSON', () => {
    fc.assert(
      fc.property(fields, bytes, fc.nat(), fc.nat(255), (before, value, where, byte) => {
        const text = Buffer.from(JSON.stringify({ ...before, result: [...value], success: true }));
        text[where % text.length] = byte;
        let parsed: unknown;
        try {
          parsed = JSON.parse(text.toString());
        } catch {
          parsed = undefined;
        }
        const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
        expect(decodeReply(text) !== undefined).toBe(isObject);
      }),
      { numRuns: 500 },
    );
  });

  it('does not fall over deep nesting', () => {
    const deep = `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)},"result":[5]}`;
    const reply = decodeReply(Buffer.from(deep));
    expect(reply === undefined || reply.result?.[0] === 5).toBe(true);
  });
});
