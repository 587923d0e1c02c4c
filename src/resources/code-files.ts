/** The files of a folder that are its code: without what is made here, what holds secrets, and what its owner leaves out. */
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';

export interface CodeFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly mode?: number;
}

const IGNORE_FILE = '.jobferryignore';
/** Never part of a function, whatever folder it is in. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  '.git',
  'node_modules',
  '__pycache__',
  '.DS_Store',
  '.jobferry',
  IGNORE_FILE,
]);
const ENVIRONMENT = /^\.env/;
/** How every state and every saved plan begins, whatever its name. */
const STATE_OR_PLAN = /^\{\s*"version": \d+,\s*"serial": \d+,\s*"lineage": "/;
const OWN_NAME = /^jobferry\.functions\.(ts|json|ya?ml)$/;

/**
 * @param own absolute paths of the state and of the file that declares the function; what is named after them goes too
 * @throws {Error} for a link that leads out of the folder
 */
export async function filesUnder(folder: string, own: readonly string[]): Promise<CodeFile[]> {
  const root = await realpath(folder);
  const ignored = await readIgnoreFile(folder);
  const ours = await Promise.all(own.map(realPlace));
  const files: CodeFile[] = [];

  const isLeftOut = (path: string): boolean => {
    const name = basename(path);
    if (LEFT_OUT.has(name) || ENVIRONMENT.test(name) || OWN_NAME.test(name)) return true;
    if (ours.some((one) => path === one || path.startsWith(`${one}.`))) return true;
    return ignored.some((pattern) => pattern.test(relative(root, path).split(sep).join('/')));
  };

  /** @param at where it is found, @param real where it is */
  const take = async (at: string, real: string, within: readonly string[]): Promise<void> => {
    const stats = await stat(real);
    if (stats.isDirectory()) {
      if (within.includes(real))
        throw new Error(`${at} links to a folder around it. Leave it out by ${IGNORE_FILE}.`);
      await walk(at, real, [...within, real]);
    } else if (stats.isFile()) {
      const bytes = await readFile(real);
      if (STATE_OR_PLAN.test(bytes.subarray(0, 200).toString('latin1'))) return;
      const mode = (stats.mode & 0o100) === 0 ? 0o644 : 0o755;
      files.push({ path: relative(root, at).split(sep).join('/'), bytes, mode });
    }
  };

  const walk = async (at: string, real: string, within: readonly string[]): Promise<void> => {
    for (const entry of await readdir(real, { withFileTypes: true })) {
      const path = join(at, entry.name);
      if (isLeftOut(path)) continue;
      if (!entry.isSymbolicLink()) {
        await take(path, join(real, entry.name), within);
        continue;
      }
      const target = await realpath(join(real, entry.name));
      if (!isWithin(root, target)) {
        throw new Error(
          `${path} links to ${target}, outside of the folder. Copy it, or leave it out by ${IGNORE_FILE}.`,
        );
      }
      if (!isLeftOut(target) && !partsOf(root, target).some(isLeftOut)) await take(path, target, within);
    }
  };

  await walk(root, root, [root]);
  if (files.length === 0) throw new Error(`${folder} holds no file that would be uploaded.`);
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Of what need not be there yet. */
async function realPlace(path: string): Promise<string> {
  const folder = await realpath(dirname(path)).catch(() => dirname(path));
  return join(folder, basename(path));
}

function isWithin(folder: string, path: string): boolean {
  return path === folder || path.startsWith(`${folder}${sep}`);
}

/** The folders between the root and a path. */
function partsOf(root: string, path: string): string[] {
  const above = dirname(path);
  return isWithin(root, above) && above !== root ? [above, ...partsOf(root, above)] : [];
}

/** A line each: a name at any depth, or a path from the folder; `*` is any text within a name, `#` begins a comment. */
async function readIgnoreFile(folder: string): Promise<RegExp[]> {
  const text = await readFile(join(folder, IGNORE_FILE), 'utf8').catch((failure: NodeJS.ErrnoException) => {
    if (failure.code === 'ENOENT') return '';
    throw failure;
  });
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const pattern = line.replace(/\/+$/, '');
      const escaped = pattern
        .replace(/^\//, '')
        .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
        .replaceAll('*', '[^/]*');
      return new RegExp(`${pattern.includes('/') ? '^' : '(^|/)'}${escaped}$`);
    });
}
