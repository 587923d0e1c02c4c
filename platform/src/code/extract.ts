/** Writes a checked zip into a fresh folder, counting what is really inflated. */

import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { openPromise, type ZipFile } from 'yauzl';

import { PlatformError, systemCode } from '../domain/errors.js';
import { invalidPackage, packageTooLarge, printable } from './package-error.js';
import { type PlannedFile, planExtraction, type ZipLimits } from './zip-plan.js';

/** A file may grow by this factor once it is above a MiB; real programs compress by less than 20. */
const MAX_RATIO = 100;
const RATIO_FROM_BYTES = 1024 * 1024;

/**
 * Extracts a zip file into `target`, which must not exist yet. Files get mode 0644 or 0755, folders 0755.
 * A failure leaves a partial `target` behind for the caller to remove.
 * @throws PlatformError INVALID_PACKAGE or PAYLOAD_TOO_LARGE; errors of the file system as they are
 */
export async function extractZip(
  zipFile: string,
  target: string,
  limits: ZipLimits,
  needsBootstrap = true,
): Promise<void> {
  try {
    // Names stay raw (decodeStrings: false) so that our own rules see them, not a decoder's repair.
    const zip = await openPromise(zipFile, { decodeStrings: false, autoClose: false });
    try {
      await extractAll(zip, target, limits, needsBootstrap);
    } finally {
      zip.close();
    }
  } catch (error) {
    if (error instanceof PlatformError || isFileSystemError(error)) throw error;
    throw invalidPackage(error instanceof Error ? error.message : 'it cannot be read', error);
  }
}

async function extractAll(
  zip: ZipFile,
  target: string,
  limits: ZipLimits,
  needsBootstrap: boolean,
): Promise<void> {
  const plan = await planExtraction(zip, limits, needsBootstrap);
  await mkdir(target, { mode: 0o755 });
  const folders = new Set([target]);
  const makeFolder = async (path: string): Promise<void> => {
    if (folders.has(path)) return;
    await makeFolder(dirname(path));
    await mkdir(path, { mode: 0o755 });
    folders.add(path);
  };
  for (const path of plan.folders) await makeFolder(join(target, path));
  let leftBytes = limits.maxUnzippedBytes;
  for (const file of plan.files) {
    const path = join(target, file.path);
    await makeFolder(dirname(path));
    leftBytes -= await extractFile(zip, file, path, leftBytes, limits.maxUnzippedBytes);
  }
  for (const folder of folders) await syncFolder(folder);
}

async function extractFile(
  zip: ZipFile,
  file: PlannedFile,
  path: string,
  leftBytes: number,
  maxBytes: number,
): Promise<number> {
  const { entry } = file;
  const content = await zip.openReadStreamPromise(entry);
  // yauzl emits failures without ending the stream, before the loop below begins or after it has left.
  content.on('error', (error) => content.destroy(error));
  let handle: FileHandle | undefined;
  let bytes = 0;
  let sum = 0;
  try {
    // 'wx' refuses whatever is there already, links included.
    handle = await open(path, 'wx', 0o644);
    for await (const chunk of content as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > leftBytes) throw packageTooLarge('bytes when unpacked', maxBytes);
      if (bytes > RATIO_FROM_BYTES && bytes > entry.compressedSize * MAX_RATIO) {
        throw invalidPackage(
          `the entry ${printable(file.path)} inflates to more than ${MAX_RATIO} times its size`,
        );
      }
      sum = crc32(chunk, sum);
      await writeAll(handle, chunk);
    }
    if (bytes !== entry.uncompressedSize)
      throw invalidPackage(`the entry ${printable(file.path)} lies about its size`);
    if (sum !== entry.crc32)
      throw invalidPackage(`the entry ${printable(file.path)} is damaged (CRC-32 differs)`);
    await handle.chmod(file.executable || file.path === 'bootstrap' ? 0o755 : 0o644);
    await handle.sync();
  } finally {
    content.destroy();
    await handle?.close();
  }
  return bytes;
}

async function writeAll(handle: FileHandle, chunk: Buffer): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at)).bytesWritten;
}

/** Makes the names inside a folder durable, as far as the system can. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isFileSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && systemCode(error) !== undefined;
}
