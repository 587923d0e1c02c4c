import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  byteArrayRoom,
  encodeByteArray,
  readByteArray,
  writeByteArray,
} from '../../src/core/byte-array-json.js';

const bytes = fc.uint8Array({ maxLength: 2000 });
const EVERY_BYTE = Uint8Array.from({ length: 256 }, (_, index) => index);

describe('bytes as a JSON array of integers', () => {
  it('writes what JSON.stringify writes', () => {
    fc.assert(
      fc.property(bytes, fc.nat(10), (value, offset) => {
        const out = new Uint8Array(offset + byteArrayRoom(value.length));
        const end = writeByteArray(out, offset, value);
        expect(Buffer.from(out.subarray(offset, end)).toString()).toBe(JSON.stringify([...value]));
      }),
    );
  });

  it('reads what JSON.stringify writes, with any indent', () => {
    fc.assert(
      fc.property(bytes, fc.constantFrom('', ' ', '\t', '\r\n '), (value, indent) => {
        const text = Buffer.from(JSON.stringify([...value], null, indent));
        const read = readByteArray(text, 0);
        expect(read?.end).toBe(text.length);
        expect(Buffer.from(read?.bytes ?? []).equals(Buffer.from(value))).toBe(true);
      }),
    );
  });

  it('reads every byte value, and arrays longer than its scratch space', () => {
    const long = Uint8Array.from({ length: 200_000 }, (_, index) => (index * 7) & 255);
    for (const value of [EVERY_BYTE, long]) {
      const text = Buffer.from(JSON.stringify([...value]));
      expect(Buffer.from(readByteArray(text, 0)?.bytes ?? []).equals(Buffer.from(value))).toBe(true);
    }
  });

  it.each([
    '[256]',
    '[999]',
    '[1000]',
    '[-1]',
    '[1.5]',
    '[01]',
    '[1,]',
    '[,1]',
    '[1 2]',
    '[1',
    '[',
    '["1"]',
    '[null]',
    '[[1]]',
    '[1e1]',
    '{}',
    '',
    '1]',
  ])('leaves %s to a real parser', (text) => {
    expect(readByteArray(Buffer.from(text), 0)).toBeUndefined();
  });

  it('reads back what it wrote, wherever it stands in a text', () => {
    fc.assert(
      fc.property(bytes, fc.string(), fc.string(), (value, before, after) => {
        const head = Buffer.from(before);
        const array = encodeByteArray(value);
        const read = readByteArray(Buffer.concat([head, array, Buffer.from(after)]), head.length);
        expect(read).toEqual({ bytes: value, end: head.length + array.length });
      }),
    );
  });

  it('gives a result that owns no more memory than it needs', () => {
    const text = Buffer.from(`[1,2,3]${' '.repeat(10_000)}`);
    expect(readByteArray(text, 0)?.bytes.buffer.byteLength).toBe(3);
  });
});
