/** A tiny zip writer that can lie: every field of an entry and of the directory can be set to something untrue. */

import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipEntry {
  readonly name: string | Buffer;
  readonly content?: string | Buffer;
  /** Unix mode with its type bits; default a regular file 0644 (0755 for `bootstrap`). */
  readonly mode?: number;
  readonly stored?: boolean;
  readonly lie?: {
    readonly method?: number;
    readonly flags?: number;
    readonly crc32?: number;
    /** Said of the inflated size, in both headers. */
    readonly uncompressedSize?: number;
    readonly localName?: string;
    /** Points the directory at another entry's bytes. */
    readonly offset?: number;
  };
}

export interface ZipLies {
  readonly before?: Buffer;
  readonly entryCount?: number;
}

export function zip(entries: readonly ZipEntry[], lies: ZipLies = {}): Buffer {
  const parts: Buffer[] = lies.before === undefined ? [] : [lies.before];
  const directory: Buffer[] = [];
  let offset = lies.before?.length ?? 0;
  for (const entry of entries) {
    const { local, central } = writeEntry(entry, offset);
    parts.push(local);
    directory.push(central);
    offset += local.length;
  }
  const directoryBytes = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(lies.entryCount ?? entries.length, 8);
  end.writeUInt16LE(lies.entryCount ?? entries.length, 10);
  end.writeUInt32LE(directoryBytes.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, directoryBytes, end]);
}

/** A zip with nothing but this bootstrap. */
export function bootstrapZip(script: string): Buffer {
  return zip([{ name: 'bootstrap', content: script }]);
}

function writeEntry(entry: ZipEntry, offset: number): { local: Buffer; central: Buffer } {
  const { lie = {} } = entry;
  const name = Buffer.from(entry.name);
  const content = Buffer.from(entry.content ?? '');
  const data = entry.stored === true ? content : deflateRawSync(content);
  const method = lie.method ?? (entry.stored === true ? 0 : 8);
  const mode = entry.mode ?? (name.toString() === 'bootstrap' ? 0o100755 : 0o100644);
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt16LE(lie.flags ?? 0x800, 2);
  common.writeUInt16LE(method, 4);
  common.writeUInt32LE(lie.crc32 ?? crc32(content), 10);
  common.writeUInt32LE(data.length, 14);
  common.writeUInt32LE(lie.uncompressedSize ?? content.length, 18);
  common.writeUInt16LE(name.length, 22);
  const localName = Buffer.from(lie.localName ?? name);
  const localCommon = Buffer.from(common);
  localCommon.writeUInt16LE(localName.length, 22);
  const local = Buffer.concat([signature(0x04034b50), localCommon, localName, data]);
  const tail = Buffer.alloc(14);
  tail.writeUInt32LE(mode * 0x10000, 6);
  tail.writeUInt32LE(lie.offset ?? offset, 10);
  const madeByUnix = Buffer.from([20, 3]);
  return { local, central: Buffer.concat([signature(0x02014b50), madeByUnix, common, tail, name]) };
}

function signature(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}
