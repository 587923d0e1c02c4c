// What a build reads and writes, and whether the last one is still good.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The Node that the project brings along; the system's may be older than the tools need. */
export function node() {
  const own = join(root, 'node_modules/.bin/node');
  return existsSync(own) ? own : process.execPath;
}

/** Each package of the repository: where it lives, and what its build must leave behind. */
export const packages = ['.', 'platform'].map((folder) => {
  const { exports, bin } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
  const targets = Object.values(exports).flatMap((target) => Object.values(target));
  const outputs = [...targets, ...Object.values(bin ?? {})].filter((path) => /^(\.\/)?dist\//.test(path));
  return { folder: join(root, folder), outputs };
});

/** Written last, with the time at which the build began. */
export const stampName = '.built';

const configs = ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'tsup.config.ts'];

export function isBuilt() {
  const builtMs = modifiedMs(join(root, 'dist', stampName));
  return (
    builtMs !== undefined &&
    packages.every(
      ({ folder, outputs }) =>
        outputs.every((output) => existsSync(join(folder, output))) &&
        configs.every((config) => (modifiedMs(join(folder, config)) ?? 0) <= builtMs) &&
        newestMs(join(folder, 'src')) <= builtMs,
    )
  );
}

/** A folder's own time counts too: it tells of files that were removed or renamed. */
function newestMs(folder) {
  let newest = modifiedMs(folder) ?? 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    newest = Math.max(newest, entry.isDirectory() ? newestMs(path) : (modifiedMs(path) ?? 0));
  }
  return newest;
}

function modifiedMs(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}
