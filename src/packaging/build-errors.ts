/** Runs esbuild and puts its complaints in words that say what to do. */
import type { BuildFailure, BuildOptions, BuildResult, Message } from 'esbuild';
import { FaasError } from '../core/errors.js';

/** @throws {FaasError} CONFIG with up to five faults, each as file:line:column. */
export async function buildOrExplain(entry: string, options: BuildOptions): Promise<BuildResult> {
  const { build } = await import('esbuild');
  try {
    return await build(options);
  } catch (cause) {
    const { errors } = cause as Partial<BuildFailure>;
    if (errors === undefined) throw cause;
    const shown = errors.slice(0, 5).map(explain).join('\n');
    const more = errors.length > 5 ? `\nand ${errors.length - 5} more` : '';
    throw new FaasError({
      code: 'CONFIG',
      executed: 'no',
      message: `${entry} cannot be bundled:\n${shown}${more}`,
    });
  }
}

function explain({ text, location }: Message): string {
  const where = location === null ? '' : `${location.file}:${location.line}:${location.column + 1}: `;
  return where + text + advice(text);
}

function advice(text: string): string {
  const unresolved = /Could not resolve "([^"]+)"/.exec(text)?.[1];
  if (unresolved?.startsWith('.') || unresolved?.startsWith('/')) return '. Check the path.';
  if (unresolved !== undefined) {
    const name = unresolved
      .split('/')
      .slice(0, unresolved.startsWith('@') ? 2 : 1)
      .join('/');
    return `. Install the package "${name}", or list it as external if the platform provides it.`;
  }
  if (/top-level await/i.test(text)) return '. Move the await into the handler, or into a function it calls.';
  return '';
}
