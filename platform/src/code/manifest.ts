/** What a bundle says about itself in `faas.json`; most have none and speak JSON. */

import { open } from 'node:fs/promises';
import { join } from 'node:path';

import { systemCode } from '../domain/errors.js';
import type { StdioProtocol } from '../runtimes/stdio-protocol.js';
import { invalidPackage } from './package-error.js';

const MAX_BYTES = 64 * 1024;

export interface Manifest {
  readonly protocol: StdioProtocol;
}

/** @throws PlatformError INVALID_PACKAGE when it is there and cannot be followed */
export async function readManifest(codeFolder: string): Promise<Manifest> {
  const text = await readStart(join(codeFolder, 'faas.json'));
  if (text === undefined) return { protocol: 'json' };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalidPackage(`"faas.json" is not JSON of at most ${MAX_BYTES} bytes`, error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidPackage('"faas.json" is not a JSON object');
  const protocol = 'protocol' in value ? value.protocol : 'json';
  if (protocol !== 'json' && protocol !== 'binary-1')
    throw invalidPackage('"faas.json" names an unknown protocol; known are "json" and "binary-1"');
  return { protocol };
}

async function readStart(path: string): Promise<string | undefined> {
  try {
    await using handle = await open(path, 'r');
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT') return undefined;
    if (code === 'EISDIR') throw invalidPackage('"faas.json" is a folder', error);
    throw error;
  }
}
