/** Writes zip archives, sound ones and hostile ones: every field can be made to lie. */
import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipEntry {
  readonly name: string | Uint8Array;
  readonly data: Uint8Array | string;
  /** Unix mode with file type; default a regular file, 0755. */
  readonly mode?: number;
  /** 8 = deflated (default), 0 = stored; any other number is written as it is over stored bytes. */
  readonly method?: number;
  /** Bytes already compressed, in place of compressing `data`. */
  readonly compressed?: Uint8Array;
  /** What the headers say in place of the truth. */
  readonly claim?: {
    readonly crc?: number;
    readonly size?: number;
    readonly flags?: number;
    readonly localName?: string;
    /** Take the local header of the entry with this index in place of its own: entries overlap. */
    readonly offsetOf?: number;
  };
}

const REGULAR_0755 = 0o100755;
const UTF8_NAMES = 0x0800;
const VERSION = 20;
const MADE_ON_UNIX = (3 << 8) | VERSION;
/** 1 January 2020, 00:00: the same archive from the same entries, always. */
const DOS_DATE = ((2020 - 1980) << 9) | (1 << 5) | 1;

export function writeZip(entries: readonly ZipEntry[]): Buffer {
  const parts: Buffer[] = [];
  const offsets: number[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const entry of entries) {
    const { local, central } = headersOf(entry);
    offsets.push(at);
    parts.push(local);
    at += local.length;
    central.writeUInt32LE(offsets[entry.claim?.offsetOf ?? offsets.length - 1] ?? 0, 42);
    directory.push(central);
  }
  const directoryBytes = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directoryBytes.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, directoryBytes, end]);
}

function headersOf(entry: ZipEntry): { local: Buffer; central: Buffer } {
  const data = Buffer.from(entry.data);
  const method = entry.method ?? 8;
  const bytes = Buffer.from(entry.compressed ?? (method === 8 ? deflateRawSync(data) : data));
  const name = Buffer.from(entry.name);
  const localName = Buffer.from(entry.claim?.localName ?? name);
  const common = Buffer.alloc(26);
  common.writeUInt16LE(VERSION, 0);
  common.writeUInt16LE(entry.claim?.flags ?? UTF8_NAMES, 2);
  common.writeUInt16LE(method, 4);
  common.writeUInt16LE(DOS_DATE, 8);
  common.writeUInt32LE(entry.claim?.crc ?? crc32(data), 10);
  common.writeUInt32LE(bytes.length, 14);
  common.writeUInt32LE(entry.claim?.size ?? data.length, 18);
  common.writeUInt16LE(name.length, 22);
  const central = Buffer.alloc(46);
  central.writeUInt32LE(0x02014b50, 0);
  central.writeUInt16LE(MADE_ON_UNIX, 4);
  common.copy(central, 6);
  central.writeUInt32LE(((entry.mode ?? REGULAR_0755) << 16) >>> 0, 38);
  const localHead = Buffer.alloc(4);
  localHead.writeUInt32LE(0x04034b50, 0);
  const localCommon = Buffer.from(common);
  localCommon.writeUInt16LE(localName.length, 22);
  return {
    local: Buffer.concat([localHead, localCommon, localName, bytes]),
    central: Buffer.concat([central, name]),
  };
}

/** The archive of a function that is one script. */
export function packScript(script: string, more: readonly ZipEntry[] = []): Buffer {
  return writeZip([{ name: 'bootstrap', data: script }, ...more]);
}
