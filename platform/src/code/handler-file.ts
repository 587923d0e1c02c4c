/** Finds the file of a managed function's handler in its code folder. */

import { readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';

import { systemCode } from '../domain/errors.js';
import type { Language } from '../runtimes/interpreters.js';
import { invalidPackage } from './package-error.js';

const EXTENSIONS: Readonly<Record<Language, readonly string[]>> = {
  node: ['.js', '.mjs', '.cjs', '.ts', '.mts'],
  python: ['.py'],
};
const NAMES: Readonly<Record<Language, readonly string[]>> = {
  node: ['handler', 'index'],
  python: ['handler', 'main'],
};
/** The templates put a function's own files into one of these. */
const FOLDERS = ['.', 'function'];

/**
 * `handler.py`, `handler.js` and their like, at the top or in `function/`; else the only file of the language there is
 * at the top.
 * @throws PlatformError INVALID_PACKAGE that names what was looked for
 */
export async function findHandlerFile(codeFolder: string, language: Language): Promise<string> {
  const extensions = EXTENSIONS[language];
  for (const folder of FOLDERS) {
    const files = await filesIn(join(codeFolder, folder));
    const wanted = NAMES[language].flatMap((name) => extensions.map((extension) => `${name}${extension}`));
    const found = wanted.find((name) => files.includes(name));
    if (found !== undefined) return join(codeFolder, folder, found);
  }
  const sources = (await filesIn(codeFolder)).filter((file) => extensions.includes(extname(file)));
  const [only, another] = sources;
  if (only !== undefined && another === undefined) return join(codeFolder, only);
  throw invalidPackage(`there is no ${NAMES[language][0]}${extensions[0]} at its top or in function/`);
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error) => {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return [];
    throw error;
  });
  return entries.flatMap((entry) => (entry.isFile() ? [entry.name] : []));
}
