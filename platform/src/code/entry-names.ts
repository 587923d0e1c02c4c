/** Which names a zip entry may have. Everything that could leave the folder, or mean two things, is refused. */

import { invalidPackage, packageTooLarge, printable } from './package-error.js';

const MAX_NAME_BYTES = 1024;
const MAX_SEGMENT_BYTES = 255;
const MAX_DEPTH = 64;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface EntryName {
  /** Without the slash that marks a folder. */
  readonly path: string;
  readonly isFolder: boolean;
}

/**
 * Decodes and checks the raw name of an entry.
 * @throws PlatformError INVALID_PACKAGE
 */
export function parseEntryName(raw: Buffer): EntryName {
  let name: string;
  try {
    name = UTF8.decode(raw);
  } catch {
    throw invalidPackage('an entry name is not UTF-8');
  }
  const shown = printable(name);
  if (raw.length === 0) throw invalidPackage('an entry has an empty name');
  if (raw.length > MAX_NAME_BYTES)
    throw invalidPackage(`the entry name ${shown} is longer than ${MAX_NAME_BYTES} bytes`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(name))
    throw invalidPackage(`the entry name ${shown} has a control character`);
  if (name.includes('\\')) throw invalidPackage(`the entry name ${shown} has a backslash`);
  if (name.startsWith('/') || /^[A-Za-z]:/.test(name))
    throw invalidPackage(`the entry name ${shown} is absolute`);
  const isFolder = name.endsWith('/');
  const path = isFolder ? name.slice(0, -1) : name;
  const segments = path.split('/');
  if (segments.length > MAX_DEPTH)
    throw invalidPackage(`the entry name ${shown} is deeper than ${MAX_DEPTH} folders`);
  for (const segment of segments) {
    if (segment === '' || /[. ]$/.test(segment)) {
      throw invalidPackage(`the entry name ${shown} has a part that is empty, or ends with a dot or a space`);
    }
    if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES)
      throw invalidPackage(`a part of the entry name ${shown} is too long`);
  }
  return { path, isFolder };
}

/** Watches the names of one zip for those that would meet on some file system; implied folders count as well. */
export class NameCollisions {
  readonly #maxPaths: number;
  readonly #explicit = new Set<string>();
  readonly #kinds = new Map<string, { readonly path: string; readonly isFolder: boolean }>();

  constructor(maxPaths: number) {
    this.#maxPaths = maxPaths;
  }

  /** @throws PlatformError INVALID_PACKAGE or PAYLOAD_TOO_LARGE */
  add({ path, isFolder }: EntryName): void {
    if (this.#explicit.has(path)) throw invalidPackage(`the entry ${printable(path)} is there twice`);
    this.#explicit.add(path);
    const segments = path.split('/');
    segments.forEach((_, index) => {
      const isLast = index === segments.length - 1;
      this.#claim(segments.slice(0, index + 1).join('/'), isFolder || !isLast);
    });
  }

  #claim(path: string, isFolder: boolean): void {
    const key = path.normalize('NFC').toLowerCase();
    const known = this.#kinds.get(key);
    if (known === undefined) {
      if (this.#kinds.size >= this.#maxPaths) throw packageTooLarge('files and folders', this.#maxPaths);
      this.#kinds.set(key, { path, isFolder });
    } else if (known.path !== path) {
      throw invalidPackage(`the entries ${printable(known.path)} and ${printable(path)} differ only by case`);
    } else if (known.isFolder !== isFolder) {
      throw invalidPackage(`the entry ${printable(path)} is both a file and a folder`);
    }
  }
}
