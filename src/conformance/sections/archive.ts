/** Archives, sound and hostile. */
import { randomBytes } from 'node:crypto';
import { crc32, deflateRawSync } from 'node:zlib';
import { answering, commands } from '../bootstraps.js';
import type { Case, Section } from '../case.js';
import { checkFailure, checkResult, checkSame, checkStatus } from '../expect.js';
import { packScript, writeZip, type ZipEntry } from '../zip.js';

const SCRIPT = answering('archived');
const BOOTSTRAP: ZipEntry = { name: 'bootstrap', data: SCRIPT };
const SOUND = writeZip([BOOTSTRAP]);
const SYMLINK = 0o120777;
const DEVICE = 0o020666;
const FIFO = 0o010666;
const MIB = 1024 * 1024;

type Bad = readonly [cites: string, what: string, archive: () => Uint8Array];

const INVALID: readonly Bad[] = [
  ['ARC-1', 'junk', () => Buffer.from('this is not a zip archive')],
  ['ARC-1', 'nothing', () => Buffer.alloc(0)],
  ['ARC-1', 'only the marks PK', () => Buffer.from('PK\x03\x04')],
  ['ARC-1', 'noise that ends like a zip', () => Buffer.concat([randomBytes(200), SOUND.subarray(-22)])],
  ['ARC-1', 'an archive cut short', () => SOUND.subarray(0, SOUND.length - 30)],
  ['ARC-1', 'an archive without its first half', () => SOUND.subarray(SOUND.length >> 1)],
  ['ARC-1', 'a wrong checksum', () => writeZip([{ ...BOOTSTRAP, claim: { crc: 0x12345678 } }])],
  ['ARC-1', 'an encrypted entry', () => writeZip([{ ...BOOTSTRAP, claim: { flags: 0x0801 } }])],
  ['ARC-1', 'an unknown compression method', () => writeZip([{ ...BOOTSTRAP, method: 99 }])],
  [
    'ARC-1',
    'deflated bytes that are damaged',
    () => writeZip([{ ...BOOTSTRAP, compressed: Buffer.alloc(60, 0xff) }]),
  ],
  ['ARC-2', 'no entries', () => writeZip([])],
  ['ARC-2', 'no bootstrap', () => writeZip([{ name: 'main', data: SCRIPT }])],
  ['ARC-2', 'bootstrap in a folder', () => writeZip([{ name: 'bin/bootstrap', data: SCRIPT }])],
  ['ARC-2', 'bootstrap as a folder', () => writeZip([{ name: 'bootstrap/', data: '', mode: 0o040755 }])],
  ['ARC-2', 'Bootstrap with a capital letter', () => writeZip([{ name: 'Bootstrap', data: SCRIPT }])],
  ['ARC-3', 'an entry ../escaped', () => withEntry('../escaped')],
  ['ARC-3', 'an entry a/../../escaped', () => withEntry('a/../../escaped')],
  ['ARC-3', 'an absolute entry', () => withEntry('/tmp/escaped')],
  ['ARC-3', 'an entry with backslashes', () => withEntry('..\\escaped')],
  ['ARC-3', 'an entry with a NUL', () => withEntry('data\0.txt')],
  [
    'ARC-4',
    'a symbolic link',
    () => writeZip([BOOTSTRAP, { name: 'link', data: '/etc/passwd', mode: SYMLINK }]),
  ],
  [
    'ARC-4',
    'a bootstrap that is a symbolic link',
    () => writeZip([{ name: 'bootstrap', data: '/bin/cat', mode: SYMLINK }]),
  ],
  ['ARC-4', 'a device', () => writeZip([BOOTSTRAP, { name: 'null', data: '', mode: DEVICE }])],
  ['ARC-4', 'a named pipe', () => writeZip([BOOTSTRAP, { name: 'pipe', data: '', mode: FIFO }])],
  [
    'ARC-5',
    'the same name twice',
    () => writeZip([BOOTSTRAP, { name: 'bootstrap', data: answering('other') }]),
  ],
  [
    'ARC-8',
    'entries that overlap',
    () => writeZip([BOOTSTRAP, { name: 'twin', data: SCRIPT, claim: { offsetOf: 0 } }]),
  ],
  [
    'ARC-8',
    'a local header that contradicts the directory',
    () => writeZip([{ ...BOOTSTRAP, claim: { localName: 'somethin' } }]),
  ],
];

function withEntry(name: string): Buffer {
  return writeZip([BOOTSTRAP, { name, data: 'escaped' }]);
}

const invalid = INVALID.map(
  ([cites, what, archive], index): Case => ({
    id: `archive-${String(index + 1).padStart(2, '0')}`,
    cites,
    title: `${what} is refused, and no function is left`,
    async run(context) {
      const id = context.name();
      checkFailure(await context.put(id, archive()), 400, 'INVALID_PACKAGE');
      checkFailure(await context.send('GET', `/api/functions/${id}`), 404, 'NOT_FOUND');
    },
  }),
);

/** `count` MiB of zeros, deflated, without ever holding them. */
function zeros(count: number): Pick<ZipEntry, 'compressed'> & { crc: number; size: number } {
  const block = Buffer.alloc(MIB);
  // A full flush ends on a byte boundary without a final block, so copies of it can stand in a row.
  const piece = deflateRawSync(block, { finishFlush: 2 });
  const last = deflateRawSync(Buffer.alloc(0));
  let crc = 0;
  for (let n = 0; n < count; n++) crc = crc32(block, crc);
  return {
    compressed: Buffer.concat([...Array.from({ length: count }, () => piece), last]),
    crc,
    size: count * MIB,
  };
}

export const archive: Section = {
  name: 'archive',
  cases: [
    ...invalid,
    {
      id: 'archive-28',
      cites: 'ARC-6',
      title: 'an entry longer than it says is refused',
      async run(context) {
        const reply = await context.put(
          context.name(),
          writeZip([BOOTSTRAP, { name: 'data', data: Buffer.alloc(5 * MIB), claim: { size: 10 } }]),
        );
        checkStatus(reply, 400, 413);
      },
    },
    {
      id: 'archive-29',
      cites: 'ARC-6',
      title: 'an entry shorter than it says is refused',
      async run(context) {
        const reply = await context.put(
          context.name(),
          writeZip([BOOTSTRAP, { name: 'data', data: 'short', claim: { size: 5000 } }]),
        );
        checkStatus(reply, 400, 413);
      },
    },
    {
      id: 'archive-30',
      cites: 'ARC-7',
      title: 'more unpacked bytes than allowed are 413',
      async run(context) {
        const limit = context.platform.limit('max_unzipped_bytes') ?? 262_144_000;
        const { compressed, crc, size } = zeros(Math.ceil(limit / MIB) + 8);
        const archive = writeZip([
          BOOTSTRAP,
          { name: 'bomb', data: '', ...(compressed && { compressed }), claim: { crc, size } },
        ]);
        checkFailure(await context.put(context.name(), archive), 413, 'PAYLOAD_TOO_LARGE');
      },
    },
    {
      id: 'archive-31',
      cites: 'ARC-7',
      title: 'a body that declares more than any limit is 413 before it is sent',
      async run(context) {
        const length = (context.platform.limit('max_zip_bytes') ?? 52_428_800) + 1024 * MIB;
        const reply = await context.raw(
          `PUT /api/functions/${context.name()}\r\nContent-Type: application/zip\r\nContent-Length: ${length}`,
        );
        checkSame(reply.statuses.at(-1), 413, 'status');
      },
    },
    {
      id: 'archive-32',
      cites: 'ARC-9',
      title: 'a bootstrap without execute bits runs all the same',
      async run(context) {
        const id = context.name();
        checkStatus(await context.put(id, writeZip([{ ...BOOTSTRAP, mode: 0o100644 }])), 200);
        checkSame(checkResult(await context.invoke(id, '')).toString(), 'archived', 'result');
      },
    },
    {
      id: 'archive-33',
      cites: 'ARC-9',
      title: 'other files and folders stand beside bootstrap',
      async run(context) {
        const id = context.name();
        const script = commands('cat >/dev/null\ncat data/deep/notes.txt | reply');
        const more: ZipEntry[] = [
          { name: 'data/', data: '', mode: 0o040755 },
          { name: 'data/deep/notes.txt', data: 'notes of mine', mode: 0o100644 },
        ];
        checkStatus(await context.put(id, packScript(script, more)), 200);
        checkSame(checkResult(await context.invoke(id, '')).toString(), 'notes of mine', 'result');
      },
    },
    {
      id: 'archive-34',
      cites: 'ARC-10',
      title: 'a stored entry is read as well as a deflated one',
      async run(context) {
        const id = context.name();
        checkStatus(await context.put(id, writeZip([{ ...BOOTSTRAP, method: 0 }])), 200);
        checkSame(checkResult(await context.invoke(id, '')).toString(), 'archived', 'result');
      },
    },
  ],
};
