/** Deterministic zips: same files, same bytes, wherever and whenever they are written. */
import { createHash } from 'node:crypto';
import { FaasError } from '../core/errors.js';
import type { Artifact } from '../core/executor.js';

export interface PackageFile {
  /** Inside the artifact: relative, with forward slashes, without `.` and `..`. */
  readonly path: string;
  readonly bytes: Uint8Array | string;
  /** Unix permissions. Default 0o644. */
  readonly mode?: number;
}

// The first day a zip can name. jszip writes it as UTC, so the time zone does not matter either.
const FIXED_DATE = new Date('1980-01-01T00:00:00Z');
const REGULAR_FILE = 0o100000;

/**
 * Packs files as they are, sorted by path, with fixed dates and the modes given.
 * @throws {FaasError} CONFIG for a path that is absolute, climbs out, or occurs twice.
 */
export async function packageFiles(files: readonly PackageFile[]): Promise<Artifact> {
  checkPaths(files);
  const { default: JSZip } = await import('jszip');
  const zip = new JSZip();
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const { path, bytes, mode = 0o644 } of sorted) {
    zip.file(path, bytes, {
      date: FIXED_DATE,
      unixPermissions: REGULAR_FILE | (mode & 0o777),
      createFolders: false,
      // A string would be written as UTF-8 anyway; said here so that jszip does not guess.
      binary: typeof bytes !== 'string',
    });
  }
  const bytes = await zip.generateAsync({ type: 'uint8array', platform: 'UNIX', compression: 'DEFLATE' });
  return { format: 'zip', bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}

function checkPaths(files: readonly PackageFile[]): void {
  if (files.length === 0) throw badPath('An artifact needs at least one file.');
  const seen = new Set<string>();
  for (const { path } of files) {
    const steps = path.split('/');
    if (
      steps.some((step) => step === '' || step === '.' || step === '..') ||
      /[\\\0]|^[a-zA-Z]:/.test(path)
    ) {
      throw badPath(
        `${JSON.stringify(path)} cannot be a path in an artifact: use a relative path with forward slashes, without "." and "..".`,
      );
    }
    if (seen.has(path)) throw badPath(`${JSON.stringify(path)} is listed twice in the artifact.`);
    seen.add(path);
  }
}

function badPath(message: string): FaasError {
  return new FaasError({ code: 'CONFIG', executed: 'no', message });
}
