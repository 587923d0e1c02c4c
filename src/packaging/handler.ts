/** A TypeScript or JavaScript handler -> one self-contained `bootstrap` file in a deterministic zip. */
import { stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import type { BuildOptions, Metafile } from 'esbuild';
import { FaasError } from '../core/errors.js';
import type { Artifact } from '../core/executor.js';
import { buildOrExplain } from './build-errors.js';
import type { BundleOptions } from './bundle-options.js';
import { FOR_CJS, packageHandlerFor } from './for-target.js';
import { ownImports, ownModule } from './own-package.js';
import { type Canonical, canonicalPaths, canonicalText, withSourceMap } from './stable-paths.js';
import { targetOf } from './targets/index.js';
import { packageFiles } from './zip.js';

export interface HandlerOptions extends BundleOptions {
  /** A .ts, .js, .mts, … file that exports jobs, or a function `(input, context) => output` as its default. */
  readonly entry: string;
  /** The cloud it is for, for example `aws-lambda`. Default: platforms of the custom-FaaS spec. */
  readonly target?: string;
}

const SHEBANG = '#!/usr/bin/env node';
// Node reads the map of its first file only when told to on the command line.
const SHEBANG_WITH_MAPS = '#!/usr/bin/env -S node --enable-source-maps';
/**
 * Tells a platform of spec 1.1 that raw bytes may go over stdin and stdout; one of 1.0 reads only `bootstrap`, which
 * answers in whatever form it is asked.
 */
const DECLARATION = '{"protocol":"binary-1"}\n';

/**
 * Bundles the entry with everything it imports into one file: for the custom-FaaS spec a `bootstrap` that speaks its
 * stdin and stdout and the Lambda Runtime API, for a `target` what that cloud wants to find. The same input gives the
 * same bytes in any folder.
 * The code is not run here, so what only its run can show (two jobs with one id) is reported by the function.
 * @throws {FaasError} CONFIG for a missing file, a syntax error (with file:line:column), an import that cannot be
 * resolved, a top-level await (the bundle is CommonJS), a module without exports, or an unknown target.
 */
export async function packageHandler(options: HandlerOptions): Promise<Artifact> {
  const entry = resolve(options.entry);
  await checkEntry(entry);
  await checkExports(entry);
  if (options.target !== undefined) return packageHandlerFor(targetOf(options.target), entry, options);
  const bytes = await bundle(entry, options);
  return packageFiles([
    { path: 'bootstrap', bytes, mode: 0o755 },
    { path: 'faas.json', bytes: DECLARATION },
  ]);
}

async function checkEntry(entry: string): Promise<void> {
  const stats = await stat(entry).catch(() => undefined);
  if (stats?.isFile()) return;
  throw config(stats === undefined ? `${entry} does not exist.` : `${entry} is not a file.`);
}

/** Packages stay outside here: only the user's own files are read, which takes a few milliseconds. */
async function checkExports(entry: string): Promise<void> {
  const { metafile } = await buildOrExplain(entry, {
    ...common(entry),
    entryPoints: [entry],
    packages: 'external',
    format: 'esm',
    write: false,
    outdir: dirname(entry),
    metafile: true,
  });
  const { inputs, outputs } = metafile as Metafile;
  const isCommonJs = inputs[basename(entry)]?.format === 'cjs';
  const hasExports = Object.values(outputs).some((output) => output.exports.length > 0);
  if (isCommonJs || hasExports) return;
  throw config(
    `${entry} exports nothing. Export what defineJob returns, or a function (input, context) => output as the default.`,
  );
}

async function bundle(entry: string, { external = [], minify = true, sourcemap = false }: HandlerOptions) {
  const { metafile, outputFiles } = await buildOrExplain(entry, {
    ...common(entry),
    stdin: {
      contents: `${sourcemap ? SHEBANG_WITH_MAPS : SHEBANG}
import { serve } from ${JSON.stringify(ownModule('packaging/bootstrap'))};
import * as jobs from ${JSON.stringify(`./${basename(entry)}`)};
serve(jobs);`,
      resolveDir: dirname(entry),
      sourcefile: 'bootstrap',
    },
    plugins: [ownImports],
    external: [...external],
    format: 'cjs',
    minify,
    keepNames: true,
    sourcemap: sourcemap && 'external',
    sourcesContent: false,
    write: false,
    outfile: `${dirname(entry)}/bootstrap.js`,
    metafile: true,
    ...FOR_CJS,
  });
  const canonical = canonicalPaths(Object.keys((metafile as Metafile).inputs), entry);
  return assemble(outputFiles ?? [], canonical, minify);
}

function assemble(
  files: readonly { path: string; text: string }[],
  canonical: Canonical,
  minify: boolean,
): string {
  const code = files.find((file) => file.path.endsWith('.js'))?.text ?? '';
  const map = files.find((file) => file.path.endsWith('.map'))?.text;
  const stable = minify ? code : canonicalText(code, canonical);
  return map === undefined ? stable : withSourceMap(stable, map, canonical);
}

function common(entry: string) {
  return {
    bundle: true,
    platform: 'node',
    target: 'node22',
    absWorkingDir: dirname(entry),
    logLevel: 'silent',
    charset: 'utf8',
  } satisfies BuildOptions;
}

function config(message: string): FaasError {
  return new FaasError({ code: 'CONFIG', executed: 'no', message: `Nothing to package: ${message}` });
}
