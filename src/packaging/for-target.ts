/** A handler or an executable -> a package in the shape that one cloud wants. */
import { readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import type { BuildOptions, Metafile } from 'esbuild';
import type { Artifact } from '../core/executor.js';
import { buildOrExplain } from './build-errors.js';
import type { BundleOptions } from './bundle-options.js';
import { ownImports } from './own-package.js';
import { canonicalPaths, canonicalText, withSourceMap } from './stable-paths.js';
import type { PackageTarget } from './target.js';
import { packageFiles } from './zip.js';

/** What CommonJS code in an ES module expects around it. */
const FOR_ESM = {
  // Not declared under their own names: many modules declare those for themselves.
  define: { __filename: 'cjsFilename', __dirname: 'cjsDirname' },
  banner: {
    js: "import{createRequire as makeRequire}from'node:module';const require=makeRequire(import.meta.url);const cjsFilename=import.meta.filename;const cjsDirname=import.meta.dirname;",
  },
} satisfies BuildOptions;

/** What ES modules in a CommonJS file expect: packages use import.meta.url to find their own files. */
export const FOR_CJS = {
  define: {
    'import.meta.url': 'importMetaUrl',
    'import.meta.filename': '__filename',
    'import.meta.dirname': '__dirname',
  },
  banner: { js: "const importMetaUrl=require('node:url').pathToFileURL(__filename).href;" },
} satisfies BuildOptions;

/** @param entry the absolute path of a file that is there */
export async function packageHandlerFor(
  target: PackageTarget,
  entry: string,
  options: BundleOptions,
): Promise<Artifact> {
  const bytes = await bundle(target, target.handlerModule(`./${basename(entry)}`), entry, options);
  return packageFiles([{ ...bundleFile(target), bytes }, ...target.files('handler')]);
}

/** @param path the absolute path of an executable that has been checked */
export async function packageExecutableFor(target: PackageTarget, path: string): Promise<Artifact> {
  const bytes = await bundle(target, target.executableModule(), path, {});
  return packageFiles([
    { ...bundleFile(target), bytes },
    { path: 'function', bytes: await readFile(path), mode: 0o755 },
    ...target.files('executable'),
  ]);
}

function bundleFile({ file, mode }: PackageTarget) {
  return mode === undefined ? { path: file } : { path: file, mode };
}

async function bundle(
  { format, file, node = 'node22' }: PackageTarget,
  stub: string,
  entry: string,
  { external = [], minify = true, sourcemap = false }: BundleOptions,
): Promise<string> {
  const folder = dirname(entry);
  const { metafile, outputFiles = [] } = await buildOrExplain(entry, {
    stdin: { contents: stub, resolveDir: folder, sourcefile: basename(file) },
    absWorkingDir: folder,
    bundle: true,
    format,
    platform: 'node',
    target: node,
    plugins: [ownImports],
    external: [...external],
    minify,
    keepNames: true,
    sourcemap: sourcemap && 'external',
    sourcesContent: false,
    write: false,
    outfile: resolve(folder, 'index.js'),
    metafile: true,
    charset: 'utf8',
    logLevel: 'silent',
    ...(format === 'esm' ? FOR_ESM : FOR_CJS),
  });
  const canonical = canonicalPaths(Object.keys((metafile as Metafile).inputs), entry);
  const code = outputFiles.find((output) => output.path.endsWith('.js'))?.text ?? '';
  const map = outputFiles.find((output) => output.path.endsWith('.map'))?.text;
  const stable = minify ? code : canonicalText(code, canonical);
  return map === undefined ? stable : withSourceMap(stable, map, canonical);
}
