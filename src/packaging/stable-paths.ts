/** Names of source files that are the same wherever the project lies, for code and source maps. */
import { dirname, relative, resolve } from 'node:path';
import { packageRoot } from './own-package.js';

/** esbuild's name of an input (relative to the entry's folder) -> the stable one. */
export type Canonical = ReadonlyMap<string, string>;

export function canonicalPaths(inputs: readonly string[], entry: string): Canonical {
  return new Map(inputs.map((input) => [input, canonicalPath(resolve(dirname(entry), input), entry)]));
}

/** Packages are named by their place in node_modules, everything else by its place beside the entry. */
function canonicalPath(path: string, entry: string): string {
  const inPackage = path.split('/node_modules/').slice(1).at(-1);
  if (inPackage !== undefined) return `node_modules/${inPackage}`;
  const inOwn = relative(packageRoot, path);
  // The compiled and the source form of our own files differ in content anyway.
  if (/^(src|dist)\//.test(inOwn)) return `node_modules/jobferry/${inOwn}`;
  return relative(dirname(entry), path);
}

/** Code that is not minified names its inputs in comments and in the wrappers of CommonJS modules. */
export function canonicalText(code: string, canonical: Canonical): string {
  return code.replace(
    /^(\/\/ |\s+")([^"\n]+)("\(|$)/gm,
    (all, before: string, path: string, after: string) => {
      const stable = canonical.get(path);
      return stable === undefined ? all : before + stable + after;
    },
  );
}

/** Appends the source map to the code itself, so that the artifact stays one file. */
export function withSourceMap(code: string, mapText: string, canonical: Canonical): string {
  const map = JSON.parse(mapText) as { sources: string[] };
  map.sources = map.sources.map((source) => canonical.get(source) ?? source);
  const base64 = Buffer.from(JSON.stringify(map)).toString('base64');
  return `${code}//# sourceMappingURL=data:application/json;base64,${base64}\n`;
}
