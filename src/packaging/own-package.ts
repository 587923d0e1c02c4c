/** Where this package's own modules are, both built (dist) and in its repository (src). */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'esbuild';

const NAME = 'jobferry';
const here = fileURLToPath(import.meta.url);
const runsFromSource = here.endsWith('.ts');

/** The folder with our package.json. Looked for, since the built file may be a chunk at any depth. */
export const packageRoot = findRoot(dirname(here));

function findRoot(folder: string): string {
  const manifest = join(folder, 'package.json');
  if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name === NAME) return folder;
  const parent = dirname(folder);
  if (parent === folder)
    throw new Error(`The package ${NAME} cannot find its own package.json above ${here}.`);
  return findRoot(parent);
}

/** The file of one of our modules, named as in src without its extension, for example `packaging/bootstrap`. */
export function ownModule(name: string): string {
  return runsFromSource ? join(packageRoot, 'src', `${name}.ts`) : join(packageRoot, 'dist', `${name}.js`);
}

/** Source of the function that opens the store of claims, for the module around a handler: loaded by the first claim. */
export function openStore(): string {
  return `async () => (await import(${JSON.stringify(ownModule('objects/open'))})).claimStore()`;
}

/** Every `import 'jobferry…'` specifier; group 1 is the subpath. */
export const OWN_SPECIFIER = /^jobferry(?:\/(.+))?$/;

/** The file that `jobferry` or `jobferry/<subpath>` stands for; undefined for a subpath we do not export. */
export function resolveOwn(specifier: string): string | undefined {
  const subpath = OWN_SPECIFIER.exec(specifier)?.[1];
  const key = subpath === undefined ? '.' : `./${subpath}`;
  const { exports } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  const target: unknown = exports[key]?.default;
  if (typeof target !== 'string') return undefined;
  return ownModule(target.replace(/^\.\/dist\/|\.js$/g, ''));
}

/** The user's `jobferry` is the one that packages it: one copy in the bundle, and no install needed beside it. */
export const ownImports: Plugin = {
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
