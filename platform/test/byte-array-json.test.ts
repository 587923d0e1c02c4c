import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  decodeObjectWithBytes,
  encodeByteArray,
  encodeObjectWithBytes,
} from '../src/domain/byte-array-json.js';

/** What JSON.parse makes of the same text, in the words of the decoder. */
function byJsonParse(json: string, field: string): unknown {
  const value = JSON.parse(json);
  const { [field]: bytes, ...fields } = value;
  const isByte = (item: unknown): boolean =>
    Number.isInteger(item) && Number(item) >= 0 && Number(item) <= 255;
  if (!Object.hasOwn(value, field)) return { fields, bytes: 'absent' };
  const isBytes = Array.isArray(bytes) && bytes.every(isByte);
  return { fields, bytes: isBytes ? Uint8Array.from(bytes) : 'invalid' };
}

const decode = (json: string | Buffer, field = 'args'): unknown =>
  decodeObjectWithBytes(Buffer.from(json), field);

describe('bytes as a JSON array', () => {
  it('writes exactly what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        expect(encodeByteArray(bytes).toString()).toBe(JSON.stringify([...bytes]));
      }),
    );
  });

  it('reads back every byte it wrote, beside any other fields', () => {
    const fields = fc.dictionary(
      fc.string().filter((name) => name !== 'args' && name !== '__proto__'),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(fields, fc.uint8Array({ maxLength: 600 }), (others, bytes) => {
        const json = encodeObjectWithBytes(others, 'args', bytes);
        expect(JSON.parse(json.toString())).toEqual(
          JSON.parse(JSON.stringify({ ...others, args: [...bytes] })),
        );
        expect(decodeObjectWithBytes(json, 'args')).toEqual({
          fields: JSON.parse(JSON.stringify(others)),
          bytes,
        });
      }),
    );
  });

  it('agrees with JSON.parse on any object, also where the field is something else or is nested', () => {
    const name = fc.constantFrom('args', 'job_id', 'x', 'a"rgs', 'args\\');
    const value = fc.oneof(
      fc.array(fc.integer({ min: -3, max: 260 }), { maxLength: 5 }),
      fc.jsonValue(),
      fc.constant({ args: [1, 2] }),
      fc.constant('"args":[1]'),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, value), { maxLength: 5 }),
        fc.constantFrom('', ' ', '\n\t'),
        (pairs, space) => {
          const json = `{${space}${pairs.map(([key, item]) => `${JSON.stringify(key)}${space}:${space}${JSON.stringify(item, null, space)}`).join(`${space},`)}}`;
          expect(decode(json)).toEqual(byJsonParse(json, 'args'));
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('agrees with JSON.parse on text with one character changed', () => {
    const base = '{"job_id":7,"args":[0,17, 255],"x":{"args":[1]}}';
    fc.assert(
      fc.property(
        fc.nat({ max: base.length - 1 }),
        fc.constantFrom(...'{}[]",:0123456789 -e.\\n\tau'),
        (at, change) => {
          const json = base.slice(0, at) + change + base.slice(at + 1);
          let expected: unknown;
          try {
            expected = byJsonParse(json, 'args');
          } catch {
            expect(() => decode(json)).toThrow(SyntaxError);
            return;
          }
          expect(decode(json)).toEqual(expected);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it.each([
    ['[1,2', 'unclosed array'],
    ['{"args":[1,2]', 'unclosed object'],
    ['{"args":[1,]}', 'comma before the end'],
    ['{"args":[01]}', 'leading zero'],
    ['{"args":[1 2]}', 'no comma'],
    ['{"args":[1]}{}', 'two documents'],
    ['[]', 'not an object'],
    ['null', 'null'],
    ['', 'nothing'],
  ])('refuses %s (%s)', (json) => {
    expect(() => decode(json)).toThrow(SyntaxError);
  });

  it('refuses text that is not UTF-8', () => {
    expect(() => decode(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toThrow('not UTF-8');
  });

  it('takes unusual ways of writing the same numbers, and lets the last of two fields win', () => {
    expect(decode('{"args":[1e1, 10.0]}')).toEqual({ fields: {}, bytes: Uint8Array.of(10, 10) });
    expect(decode('{"\\u0061rgs":[3]}')).toEqual({ fields: {}, bytes: Uint8Array.of(3) });
    expect(decode('{"args":[1],"args":[2]}')).toEqual({ fields: {}, bytes: Uint8Array.of(2) });
    expect(decode('{"args":[1],"args":null}')).toEqual({ fields: {}, bytes: 'invalid' });
  });

  it('leaves no prototype changed by a field called __proto__', () => {
    const { fields } = decodeObjectWithBytes(Buffer.from('{"__proto__":{"polluted":1},"args":[]}'), 'args');
    expect(Object.getPrototypeOf(fields)).toBe(Object.prototype);
    expect(Object.hasOwn({}, 'polluted')).toBe(false);
  });
});
