/** Decided for each stream: `2> err.log` wants none in its file, whatever stdout is. */
import type { Env } from './provider.js';

/** By FORCE_COLOR, then NO_COLOR, as Node.js itself does; else colours are for terminals. */
export function useColour(stream: { readonly isTTY?: boolean }, env: Env = process.env): boolean {
  const { FORCE_COLOR: force, NO_COLOR: none } = env;
  if (force !== undefined) return force !== '0' && force !== 'false';
  return !none && stream.isTTY === true;
}
