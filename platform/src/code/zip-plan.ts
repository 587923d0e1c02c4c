/** Reads the directory of a zip and decides what to extract, before a single byte is inflated. */

import type { Entry, ZipFile } from 'yauzl';

import { NameCollisions, parseEntryName } from './entry-names.js';
import { invalidPackage, packageTooLarge, printable } from './package-error.js';

export interface ZipLimits {
  readonly maxUnzippedBytes: number;
  readonly maxZipEntries: number;
}

export interface PlannedFile {
  readonly entry: Entry;
  readonly path: string;
  readonly executable: boolean;
}

export interface ZipPlan {
  readonly folders: readonly string[];
  readonly files: readonly PlannedFile[];
}

const STORED = 0;
const DEFLATED = 8;
const TYPE_MASK = 0o170000;
const REGULAR_FILE = 0o100000;
const FOLDER = 0o040000;
const ANY_EXECUTE = 0o111;

/**
 * Checks every entry of the central directory and its local header.
 * @param needsBootstrap must there be a file of that name?
 * @throws PlatformError INVALID_PACKAGE or PAYLOAD_TOO_LARGE
 */
export async function planExtraction(
  zip: ZipFile,
  limits: ZipLimits,
  needsBootstrap: boolean,
): Promise<ZipPlan> {
  if (zip.entryCount > limits.maxZipEntries) throw packageTooLarge('entries', limits.maxZipEntries);
  const folders: string[] = [];
  const files: PlannedFile[] = [];
  const names = new NameCollisions(limits.maxZipEntries);
  const ranges: { readonly start: number; readonly end: number }[] = [];
  let declaredBytes = 0;
  for await (const entry of zip.eachEntry()) {
    const name = parseEntryName(entry.fileNameRaw);
    names.add(name);
    const mode = unixMode(entry, name.path, name.isFolder);
    checkMethod(entry, name.path);
    ranges.push(await localRange(zip, entry, name.path));
    declaredBytes += entry.uncompressedSize;
    if (declaredBytes > limits.maxUnzippedBytes)
      throw packageTooLarge('bytes when unpacked', limits.maxUnzippedBytes);
    if (name.isFolder) {
      if (entry.uncompressedSize > 0) throw invalidPackage(`the folder ${printable(name.path)} has content`);
      folders.push(name.path);
    } else {
      files.push({ entry, path: name.path, executable: (mode & ANY_EXECUTE) !== 0 });
    }
  }
  checkRanges(ranges);
  if (needsBootstrap) checkBootstrap(folders, files);
  return { folders, files };
}

/** Only regular files and folders; setuid, setgid and sticky bits simply do not come along. */
function unixMode(entry: Entry, path: string, isFolder: boolean): number {
  const mode = entry.externalFileAttributes >>> 16;
  const type = mode & TYPE_MASK;
  if (type !== 0 && type !== (isFolder ? FOLDER : REGULAR_FILE)) {
    throw invalidPackage(`the entry ${printable(path)} is not a regular file or folder`);
  }
  return mode;
}

function checkMethod(entry: Entry, path: string): void {
  if (entry.isEncrypted()) throw invalidPackage(`the entry ${printable(path)} is encrypted`);
  if (entry.compressionMethod !== STORED && entry.compressionMethod !== DEFLATED) {
    throw invalidPackage(
      `the entry ${printable(path)} uses the unknown compression method ${entry.compressionMethod}`,
    );
  }
}

/** The bytes the entry takes up; its local header must tell the same story as the directory. */
async function localRange(zip: ZipFile, entry: Entry, path: string): Promise<{ start: number; end: number }> {
  const local = await zip.readLocalFileHeaderPromise(entry);
  if (!local.fileName.equals(entry.fileNameRaw) || local.compressionMethod !== entry.compressionMethod) {
    throw invalidPackage(`the two headers of the entry ${printable(path)} contradict each other`);
  }
  return { start: entry.relativeOffsetOfLocalHeader, end: local.fileDataStart + entry.compressedSize };
}

/** Entries that share bytes are how a small zip becomes a huge one; bytes in front belong to another format. */
function checkRanges(ranges: { readonly start: number; readonly end: number }[]): void {
  const inOrder = ranges.toSorted((a, b) => a.start - b.start);
  if (inOrder[0] !== undefined && inOrder[0].start !== 0)
    throw invalidPackage('there is data before the first entry');
  for (const [index, range] of inOrder.entries()) {
    const next = inOrder[index + 1];
    if (next !== undefined && next.start < range.end) throw invalidPackage('two entries overlap');
  }
}

function checkBootstrap(folders: readonly string[], files: readonly PlannedFile[]): void {
  if (files.some((file) => file.path === 'bootstrap')) return;
  const isFolder = [...folders, ...files.map((file) => file.path)].some(
    (path) => path.split('/')[0] === 'bootstrap',
  );
  throw invalidPackage(
    isFolder ? '"bootstrap" is a folder, not a file' : 'there is no file "bootstrap" at its top',
  );
}
