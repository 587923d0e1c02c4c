/** Code as it came with a request: an archive that was saved, or the text of one file. */

import { createHash } from 'node:crypto';

import type { CodeStore } from './code-store.js';

export type CodeSource =
  | { readonly kind: 'zip'; readonly file: string; readonly sha256: string }
  | { readonly kind: 'file'; readonly name: string; readonly content: Uint8Array };

/** Names the code folder. */
export function codeNameOf(source: CodeSource): string {
  if (source.kind === 'zip') return source.sha256;
  return createHash('sha256').update(`${source.name}\0`).update(source.content).digest('hex');
}

/** Hold the code before. @throws PlatformError INVALID_PACKAGE, PAYLOAD_TOO_LARGE */
export async function installSource(source: CodeSource, code: CodeStore): Promise<void> {
  if (source.kind === 'zip') await code.installFolder(source.file, source.sha256);
  else await code.installFile(source.name, source.content, codeNameOf(source));
}
