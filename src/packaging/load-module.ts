/** Imports a user's TypeScript or JavaScript file, whatever syntax it uses and wherever it lies. */
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Loader, Plugin } from 'esbuild';
import { FaasError } from '../core/errors.js';
import { buildOrExplain } from './build-errors.js';
import { OWN_SPECIFIER, resolveOwn } from './own-package.js';

/**
 * Bundles the user's own files into one temporary file and imports that. Packages stay where they are installed, so
 * that the user's `jobferry` is this very one.
 * @throws {FaasError} CONFIG when the file is missing or has faults
 */
export async function loadModule(file: string): Promise<Readonly<Record<string, unknown>>> {
  const entry = resolve(file);
  if (!(await stat(entry).catch(() => undefined))?.isFile()) {
    throw new FaasError({ code: 'CONFIG', executed: 'no', message: `${entry} is not a file.` });
  }
  const folder = await mkdtemp(join(tmpdir(), 'jobferry-load-'));
  try {
    const outfile = join(folder, 'module.mjs');
    const { outputFiles } = await buildOrExplain(entry, {
      entryPoints: [entry],
      absWorkingDir: dirname(entry),
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node22',
      // Node's own conditions; esbuild would add "module" for bundlers.
      conditions: [],
      sourcemap: 'inline',
      outfile,
      write: false,
      plugins: [installedPackages, importMeta],
      // For files in CommonJS: an ES module has no require.
      banner: { js: requireFrom(entry) },
      define: {
        'import.meta.url': 'importMetaUrl',
        'import.meta.filename': 'importMetaFilename',
        'import.meta.dirname': 'importMetaDirname',
      },
      logLevel: 'silent',
    });
    await writeFile(outfile, outputFiles?.[0]?.contents ?? '');
    return await import(pathToFileURL(outfile).href);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function requireFrom(entry: string): string {
  return `import{createRequire as makeRequire}from'node:module';const require=makeRequire(${JSON.stringify(entry)});`;
}

/** Leaves packages out of the bundle, named by the URL that they have from the file which imports them. */
const installedPackages: Plugin = {
  name: 'installed-packages',
  setup(build) {
    build.onResolve({ filter: /^[^./]/ }, async ({ path, resolveDir, kind, pluginData }) => {
      if (kind === 'entry-point' || pluginData === installedPackages) return undefined;
      const own = OWN_SPECIFIER.test(path) ? resolveOwn(path) : undefined;
      if (own !== undefined) return { path: pathToFileURL(own).href, external: true };
      const found = await build.resolve(path, { resolveDir, kind, pluginData: installedPackages });
      // Faults, Node's own modules, and the user's files behind an alias are as esbuild found them.
      if (found.errors.length > 0 || found.external || !found.path.includes('/node_modules/')) return found;
      return { path: kind === 'require-call' ? found.path : pathToFileURL(found.path).href, external: true };
    });
  },
};

const LOADERS: Record<string, Loader> = {
  '.tsx': 'tsx',
  '.jsx': 'jsx',
  '.js': 'js',
  '.mjs': 'js',
  '.cjs': 'js',
};

/** Each file keeps its own import.meta, although all end up in one. */
const importMeta: Plugin = {
  name: 'import-meta',
  setup(build) {
    build.onLoad({ filter: /\.[cm]?[jt]sx?$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      if (!text.includes('import.meta')) return undefined;
      const values = Object.entries({
        Url: pathToFileURL(path).href,
        Filename: path,
        Dirname: dirname(path),
      });
      const constants = values
        .map(([name, value]) => `const importMeta${name}=${JSON.stringify(value)};`)
        .join('');
      // On the first line, so that line numbers stay; a shebang has no meaning here.
      return { contents: constants + text.replace(/^#!.*/, ''), loader: LOADERS[extname(path)] ?? 'ts' };
    });
  },
};
