/** Reads the archives of the suite: strict, in memory, and only what the standard asks for. */
import { crc32, inflateRawSync } from 'node:zlib';

export class BadArchive extends Error {
  readonly code: string;

  constructor(message: string, code = 'INVALID_PACKAGE') {
    super(message);
    this.code = code;
  }
}

export interface Unzipped {
  readonly name: string;
  readonly data: Buffer;
  readonly mode: number;
}

/** What one check less would mean is a defect of its own. */
export interface UnzipChecks {
  readonly crc: boolean;
  readonly names: boolean;
  readonly kinds: boolean;
  readonly bootstrap: boolean;
  readonly twice: boolean;
}

export const ALL_CHECKS: UnzipChecks = { crc: true, names: true, kinds: true, bootstrap: true, twice: true };

const MAX_UNZIPPED = 262_144_000;

/** @throws BadArchive, RangeError for what ends too early */
export function unzip(bytes: Buffer, checks: UnzipChecks = ALL_CHECKS): Unzipped[] {
  const end = bytes.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  if (end === -1) throw new BadArchive('no end of directory');
  const count = bytes.readUInt16LE(end + 10);
  let at = bytes.readUInt32LE(end + 16);
  let left = MAX_UNZIPPED;
  const ends: number[] = [0];
  const entries: Unzipped[] = [];
  for (let n = 0; n < count; n++) {
    if (bytes.readUInt32LE(at) !== 0x02014b50) throw new BadArchive('no directory entry where one should be');
    const nameLength = bytes.readUInt16LE(at + 28);
    const nameBytes = bytes.subarray(at + 46, at + 46 + nameLength);
    const offset = bytes.readUInt32LE(at + 42);
    const length = bytes.readUInt32LE(at + 20);
    const start = offset + 30 + bytes.readUInt16LE(offset + 26) + bytes.readUInt16LE(offset + 28);
    const localName = bytes.subarray(offset + 30, offset + 30 + bytes.readUInt16LE(offset + 26));
    if (bytes.readUInt32LE(offset) !== 0x04034b50 || !localName.equals(nameBytes))
      throw new BadArchive('headers contradict each other');
    if (offset < Math.max(...ends)) throw new BadArchive('entries overlap');
    ends.push(start + length);
    if (bytes.readUInt16LE(at + 8) & 1) throw new BadArchive('encrypted');
    const data = inflate(bytes.readUInt16LE(at + 10), bytes.subarray(start, start + length), left);
    left -= data.length;
    if (data.length !== bytes.readUInt32LE(at + 24)) throw new BadArchive('another size than declared');
    if (checks.crc && crc32(data) !== bytes.readUInt32LE(at + 16)) throw new BadArchive('wrong checksum');
    entries.push({ name: nameBytes.toString(), data, mode: bytes.readUInt32LE(at + 38) >>> 16 });
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return judge(entries, checks);
}

function judge(entries: readonly Unzipped[], checks: UnzipChecks): Unzipped[] {
  const good = entries.filter(({ name }) => !/(^|\/)\.\.?(\/|$)|^\/|[\\\0]/.test(name));
  if (checks.names && good.length < entries.length) throw new BadArchive('a name leaves its folder');
  const files = good.filter(({ mode }) => [0, 0o040000, 0o100000].includes(mode & 0o170000));
  if (checks.kinds && files.length < good.length) throw new BadArchive('neither a file nor a folder');
  const names = files.map(({ name }) => name);
  if (checks.twice && new Set(names).size < names.length) throw new BadArchive('a name twice');
  if (checks.bootstrap && !names.includes('bootstrap')) throw new BadArchive('no file bootstrap');
  return files;
}

function inflate(method: number, bytes: Buffer, maxBytes: number): Buffer {
  if (method === 0) return bytes;
  if (method !== 8) throw new BadArchive('unknown method');
  try {
    return inflateRawSync(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    const isTooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    throw new BadArchive('cannot be inflated', isTooLarge ? 'PAYLOAD_TOO_LARGE' : 'INVALID_PACKAGE');
  }
}
