/** What a handler is made of: its own files and those that it imports, from packages too. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { BuildOptions, Metafile } from 'esbuild';

/** @returns the files that go into the bundle, each by a name that is the same on every machine */
export async function bundleInputs(entry: string): Promise<{ path: string; bytes: Uint8Array }[]> {
  const folder = dirname(entry);
  // A package that is not installed is named when the handler is packaged; until then the rest is looked at.
  const { inputs } = await inputsOf(entry, {}).catch(() => inputsOf(entry, { packages: 'external' }));
  const paths = Object.keys(inputs).filter((path) => !path.startsWith('('));
  const files = paths.map(async (path) => {
    const inPackage = path.split('node_modules/').slice(1).at(-1);
    const name = inPackage === undefined ? path : `node_modules/${inPackage}`;
    return { path: name, bytes: await readFile(resolve(folder, path)) };
  });
  return (await Promise.all(files)).sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function inputsOf(entry: string, options: BuildOptions): Promise<Metafile> {
  const { build } = await import('esbuild');
  const { metafile } = await build({
    entryPoints: [entry],
    absWorkingDir: dirname(entry),
    bundle: true,
    platform: 'node',
    target: 'node22',
    format: 'esm',
    // Another version of ours is no other code of theirs.
    external: ['jobferry', 'jobferry/*'],
    loader: { '.node': 'empty' },
    write: false,
    outdir: dirname(entry),
    metafile: true,
    logLevel: 'silent',
    ...options,
  });
  return metafile as Metafile;
}
