import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesCodec, jsonCodec } from '../../src/core/codec.js';

describe('codecs', () => {
  it('JSON values come back equal', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        // -0 is the one number JSON changes.
        expect(jsonCodec.decode(jsonCodec.encode(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('undefined travels as no bytes', () => {
    expect(jsonCodec.encode(undefined)).toHaveLength(0);
    expect(jsonCodec.decode(new Uint8Array(0))).toBeUndefined();
  });

  it.each([[Number.NaN], [Number.POSITIVE_INFINITY], [() => 1], [1n], [{ a: Number.NaN }]])(
    'refuses %s, which JSON would lose',
    (value) => {
      expect(() => jsonCodec.encode(value)).toThrow(TypeError);
    },
  );

  class Point {
    readonly x = 1;
  }
  it.each([
    [{ run: { f() {} } }, 'function at $.run.f'],
    [{ list: [1, { s: Symbol('s') }] }, 'symbol at $.list[1].s'],
    [{ big: 1n }, 'bigint at $.big'],
    [[1, undefined], 'undefined in an array at $[1]'],
    [{ tags: new Set(['a']) }, 'Set at $.tags'],
    [new Map([[1, 2]]), 'Map at $'],
    [{ error: new RangeError('lost') }, 'Error at $.error'],
    [{ image: Uint8Array.of(1) }, 'Uint8Array at $.image'],
    [{ answer: Promise.resolve(1) }, 'Promise at $.answer'],
    [{ at: new Date(Number.NaN) }, 'invalid Date at $.at'],
    [{ at: new Date(0), deep: { nan: Number.NaN } }, 'NaN at $.deep.nan'],
  ])('refuses %o and says where it is', (value, where) => {
    expect(() => jsonCodec.encode(value)).toThrow(`${where} cannot be written as JSON`);
  });

  it('leaves to JSON what is its own rule', () => {
    const value = { at: new Date(0), none: undefined, point: new Point(), bytes: Buffer.from([1]) };
    const back = { at: '1970-01-01T00:00:00.000Z', point: { x: 1 }, bytes: { type: 'Buffer', data: [1] } };
    expect(jsonCodec.decode(jsonCodec.encode(value))).toEqual(back);
  });

  it('takes values of any depth, and says when one contains itself', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 500; level += 1) deep = { deep };
    expect(jsonCodec.decode(jsonCodec.encode(deep))).toEqual(deep);
    const self: { self?: unknown } = {};
    self.self = self;
    expect(() => jsonCodec.encode(self)).toThrow(/circular/);
  });

  it('refuses bytes that are no UTF-8 instead of replacing them', () => {
    expect(() => jsonCodec.decode(new Uint8Array([0x22, 0xff, 0x22]))).toThrow();
  });

  it('bytes pass untouched, and nothing else does', () => {
    const bytes = new Uint8Array([0, 255]);
    expect(bytesCodec.decode(bytesCodec.encode(bytes))).toBe(bytes);
    expect(() => bytesCodec.encode('x' as never)).toThrow(/Uint8Array/);
  });
});
