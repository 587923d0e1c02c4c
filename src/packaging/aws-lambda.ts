/** Packages for AWS Lambda: an `index.mjs` with a `handler`, for Lambda's own Node.js runtimes. */
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import type { Metafile, Plugin } from 'esbuild';
import { FaasError } from '../core/errors.js';
import type { Artifact } from '../core/executor.js';
import { buildOrExplain } from './build-errors.js';
import { packageExecutable } from './executable.js';
import type { HandlerOptions } from './handler.js';
import { OWN_SPECIFIER, ownModule, resolveOwn } from './own-package.js';
import { canonicalPaths, canonicalText, withSourceMap } from './stable-paths.js';
import { packageFiles } from './zip.js';

/** Tells the executor that this package knows warm pings and secrets. */
const MARK = { path: 'jobferry-lambda.json', bytes: '{"entry":1}\n' } as const;

/** What CommonJS code in the bundle expects around it. */
const COMMONJS =
  "import{createRequire as makeRequire}from'node:module';const require=makeRequire(import.meta.url);const cjsFilename=import.meta.filename;const cjsDirname=import.meta.dirname;";

/**
 * Bundles a handler (the same file that `packageHandler` takes) with everything it imports.
 * The same input gives the same bytes in any folder. A top-level await is fine here.
 * @throws {FaasError} CONFIG for a missing file, a syntax error, or an import that cannot be resolved
 */
export async function packageLambda(options: HandlerOptions): Promise<Artifact> {
  const entry = resolve(options.entry);
  if (!(await stat(entry).catch(() => undefined))?.isFile()) {
    throw new FaasError({
      code: 'CONFIG',
      executed: 'no',
      message: `Nothing to package: ${entry} is not a file.`,
    });
  }
  const stub = `
    import { lambdaHandler, startLambda } from ${JSON.stringify(ownModule('executors/aws-lambda/entry'))};
    import { jobsOf } from ${JSON.stringify(ownModule('packaging/bootstrap/jobs'))};
    export const handler = await startLambda(async () =>
      lambdaHandler(jobsOf(await import(${JSON.stringify(`./${basename(entry)}`)}))));`;
  const bytes = await bundle(stub, entry, options);
  return packageFiles([{ path: 'index.mjs', bytes }, MARK]);
}

/**
 * Packs one executable of the stdin/stdout protocol, as `packageExecutable` does, with a handler that starts it for
 * each call. It must run on Amazon Linux 2023 of the function's architecture.
 * @throws {FaasError} CONFIG when the file is missing, not executable, or neither a Linux binary nor a script
 */
export async function packageLambdaExecutable(options: { readonly path: string }): Promise<Artifact> {
  await packageExecutable(options); // what it checks
  const path = resolve(options.path);
  const stub = `
    import { executableHandler, startLambda } from ${JSON.stringify(ownModule('executors/aws-lambda/entry'))};
    export const handler = await startLambda(async () => executableHandler(import.meta.dirname + '/function'));`;
  const bytes = await bundle(stub, path, {});
  return packageFiles([
    { path: 'index.mjs', bytes },
    { path: 'function', bytes: await readFile(path), mode: 0o755 },
    MARK,
  ]);
}

async function bundle(
  stub: string,
  entry: string,
  { external = [], minify = true, sourcemap = false }: Omit<HandlerOptions, 'entry'>,
): Promise<string> {
  const { metafile, outputFiles = [] } = await buildOrExplain(entry, {
    stdin: { contents: stub, resolveDir: dirname(entry), sourcefile: 'index.mjs' },
    absWorkingDir: dirname(entry),
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    plugins: [ownImports],
    external: [...external],
    minify,
    keepNames: true,
    sourcemap: sourcemap && 'external',
    sourcesContent: false,
    write: false,
    outfile: `${dirname(entry)}/index.js`,
    metafile: true,
    charset: 'utf8',
    logLevel: 'silent',
    // Not declared under their own names: many modules declare those for themselves.
    define: { __filename: 'cjsFilename', __dirname: 'cjsDirname' },
    banner: { js: COMMONJS },
  });
  const canonical = canonicalPaths(Object.keys((metafile as Metafile).inputs), entry);
  const code = outputFiles.find((file) => file.path.endsWith('.js'))?.text ?? '';
  const map = outputFiles.find((file) => file.path.endsWith('.map'))?.text;
  const stable = minify ? code : canonicalText(code, canonical);
  return map === undefined ? stable : withSourceMap(stable, map, canonical);
}

/** The user's `jobferry` is the one that packages it: one copy in the bundle, and no install needed beside it. */
const ownImports: Plugin = {
  name: 'own-imports',
  setup(build) {
    build.onResolve({ filter: OWN_SPECIFIER }, ({ path }) => {
      const file = resolveOwn(path);
      return file === undefined
        ? { errors: [{ text: `jobferry does not export "${path}"` }] }
        : { path: file, sideEffects: false };
    });
  },
};
