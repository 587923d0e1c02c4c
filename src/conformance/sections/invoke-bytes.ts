/** Arguments and results, byte for byte. */
import { randomBytes } from 'node:crypto';
import { ECHO, RECEIVED } from '../bootstraps.js';
import type { Case, Section } from '../case.js';
import { check, checkResult, checkSame, isByteArray } from '../expect.js';

export const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, value) => value);

const PAYLOADS: readonly (readonly [what: string, bytes: Uint8Array])[] = [
  ['no bytes', new Uint8Array(0)],
  ['one zero', Uint8Array.of(0)],
  ['every value from 0 to 255', ALL_BYTES],
  ['every value from 255 to 0', ALL_BYTES.toReversed()],
  ['text in UTF-8', Buffer.from('Grüße, 世界 🚀')],
  ['bytes that are no UTF-8', Uint8Array.of(0xc3, 0x28, 0xff, 0xfe, 0xed, 0xa0, 0x80)],
  ['shell and JSON characters', Buffer.from('$(id)`id`;"\\\'\n\r\t{}[],:%s%n')],
  ['64 KiB of noise', randomBytes(64 * 1024)],
];

export const invokeBytes: Section = {
  name: 'invoke-bytes',
  cases: [
    ...PAYLOADS.map(
      ([what, bytes], index): Case => ({
        id: `invoke-bytes-0${index + 1}`,
        cites: 'INV-2',
        title: `${what} come back as they went`,
        async run(context) {
          const seen = checkResult(await context.invoke(await context.shared(ECHO), bytes));
          check(
            seen.equals(bytes),
            `${bytes.length} bytes unchanged`,
            `${seen.length} bytes: ${seen.subarray(0, 40).toString('hex')}`,
          );
        },
      }),
    ),
    {
      id: 'invoke-bytes-09',
      cites: 'INV-2',
      title: 'the function finds the same bytes on its stdin',
      async run(context) {
        const stdin = checkResult(await context.invoke(await context.shared(RECEIVED), ALL_BYTES));
        const { args } = JSON.parse(stdin.toString());
        check(isByteArray(args), 'args: an array of bytes on stdin', args);
        checkSame(args, [...ALL_BYTES], 'args');
      },
    },
    {
      id: 'invoke-bytes-10',
      cites: 'INV-9',
      title: '1 MiB there and back',
      async run(context) {
        const bytes = randomBytes(1024 * 1024);
        const seen = checkResult(await context.invoke(await context.shared(ECHO), bytes));
        check(seen.equals(bytes), '1 MiB unchanged', `${seen.length} bytes`);
      },
    },
  ],
};
