/** Finds and reads files. Names are bytes here: a file system does not promise that they are UTF-8. */
import { constants, type Dirent, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, readdir } from 'node:fs/promises';

/** A path relative to the folder that is walked, as bytes. */
export type RelativePath = Buffer;

export type Found =
  | { readonly kind: 'file'; readonly path: RelativePath }
  /** Neither file nor folder: a link, a FIFO, a socket, a device. */
  | { readonly kind: 'skipped'; readonly path: RelativePath; readonly what: string }
  | { readonly kind: 'unreadable'; readonly path: RelativePath; readonly reason: string };

/** Everything below `folder` in a stable order, except the folder `except`. Only names are held in memory. */
export async function* walk(folder: string, except?: string): AsyncGenerator<Found> {
  const root = Buffer.from(folder);
  const folders: RelativePath[] = [Buffer.alloc(0)];
  for (let path = folders.pop(); path !== undefined; path = folders.pop()) {
    if (except !== undefined && below(root, path).equals(Buffer.from(except))) continue;
    try {
      const entries = await readdir(below(root, path), { withFileTypes: true, encoding: 'buffer' });
      for (const entry of entries.sort((a, b) => Buffer.compare(a.name, b.name))) {
        const child = join(path, entry.name);
        const found = await look(below(root, child), child, entry);
        if (found === 'folder') folders.push(child);
        else yield found;
      }
    } catch (error) {
      yield { kind: 'unreadable', path, reason: reasonOf(error) };
    }
  }
}

/** Where a relative path is, as bytes. */
export function below(root: Buffer, path: RelativePath): Buffer {
  return path.length === 0 ? root : join(root, path);
}

function join(folder: Buffer, name: Buffer): Buffer {
  return folder.length === 0 ? name : Buffer.concat([folder, Buffer.from('/'), name]);
}

async function look(absolute: Buffer, path: RelativePath, entry: Dirent<Buffer>): Promise<Found | 'folder'> {
  // Some file systems do not tell the kind with the name.
  const kind: Dirent<Buffer> | Stats = isUnknown(entry) ? await lstat(absolute) : entry;
  if (kind.isDirectory()) return 'folder';
  if (kind.isFile()) return { kind: 'file', path };
  return { kind: 'skipped', path, what: nameOf(kind) };
}

function isUnknown(entry: Dirent<Buffer>): boolean {
  return !(entry.isDirectory() || entry.isFile() || nameOf(entry) !== 'special file');
}

function nameOf(kind: Dirent<Buffer> | Stats): string {
  if (kind.isSymbolicLink()) return 'link';
  if (kind.isFIFO()) return 'FIFO';
  if (kind.isSocket()) return 'socket';
  if (kind.isBlockDevice() || kind.isCharacterDevice()) return 'device';
  return 'special file';
}

/**
 * Reads a file of at most `maxBytes`. A larger one is refused without reading it.
 * @throws {Error} that says why
 */
export async function readWithin(absolute: Buffer, maxBytes: number): Promise<Buffer> {
  // If it was swapped for a FIFO or a link since the walk: neither wait for a writer nor follow it.
  const file = await open(absolute, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new Error('it is no regular file any more');
    if (stats.size > maxBytes) throw tooLarge(stats.size, maxBytes);
    return await readUpTo(file, stats.size, maxBytes);
  } finally {
    await file.close();
  }
}

/** The size is a hint: a file may grow while it is read, and those of /proc say 0. */
async function readUpTo(file: FileHandle, size: number, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let length = 0; ; ) {
    const chunk = Buffer.allocUnsafe(Math.max(4096, size - length + 1));
    const { bytesRead } = await file.read(chunk);
    if (bytesRead === 0) return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, length);
    chunks.push(chunk.subarray(0, bytesRead));
    length += bytesRead;
    if (length > maxBytes) throw tooLarge(length, maxBytes);
  }
}

function tooLarge(bytes: number, maxBytes: number): Error {
  return new Error(`it has ${bytes} bytes, and the platform takes ${maxBytes} at most`);
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** For people: what is not UTF-8 becomes a replacement character, what could steer a terminal is escaped. */
export function printable(path: RelativePath): string {
  return path
    .toString('utf8')
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`);
}
