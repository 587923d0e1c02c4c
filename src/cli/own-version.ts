/** The version of this package, from its own package.json. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

export function ownVersion(): string {
  // By its own name: the built file may be a chunk at any depth.
  const manifest = createRequire(import.meta.url).resolve('jobferry/package.json');
  return JSON.parse(readFileSync(manifest, 'utf8')).version;
}
