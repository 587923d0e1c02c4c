/** The code of the functions that a file declares, and the values of its secrets: all that is read beside it. */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { FaasError } from '../core/errors.js';
import type { Artifact } from '../core/executor.js';
import type { Address, Declarations, FunctionDeclaration, SecretDeclaration } from './core/model.js';
import { runtimeNamed } from './core/runtimes.js';
import type { Code } from './provider.js';

interface CodeFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly mode?: number;
}

/** `packageFiles` of `jobferry/packaging`: same files, same bytes. */
export type PackFiles = (files: readonly CodeFile[]) => Promise<Artifact>;

/** Never part of a function. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  '.git',
  'node_modules',
  '__pycache__',
  '.DS_Store',
  '.jobferry',
]);

/** @throws {FaasError} CONFIG that names the function and its file */
export async function readCodes(
  { functions = {} }: Declarations,
  folder: string,
  pack: PackFiles,
): Promise<Map<Address, Code>> {
  const codes = new Map<Address, Code>();
  for (const [key, declaration] of Object.entries(functions)) {
    const address: Address = `function.${key}`;
    const code = await readCode(declaration, folder, pack).catch((cause: unknown) => {
      throw config(
        `The code of ${address} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
        cause,
      );
    });
    if (code !== undefined) codes.set(address, code);
  }
  return codes;
}

async function readCode(
  declaration: FunctionDeclaration,
  folder: string,
  pack: PackFiles,
): Promise<Code | undefined> {
  const { code_inline: inline, code_path: path, code_archive: archive } = declaration;
  if (inline !== undefined) return inlineCode(inline, declaration, pack);
  if (archive !== undefined) {
    const file = resolve(folder, archive);
    const bytes = await readFile(file);
    if (bytes.readUInt32BE(0) !== 0x504b0304) throw new Error(`${file} is no zip file.`);
    return { sha256: sha256(bytes), path: file, zip: async () => bytes };
  }
  if (path === undefined) return undefined;
  const absolute = resolve(folder, path);
  if ((await stat(absolute)).isFile()) {
    const bytes = await readFile(absolute);
    const name = absolute.split(sep).at(-1) ?? 'code';
    return fromFiles([{ path: name, bytes }], pack, { inline: bytes.toString('utf8'), path: absolute });
  }
  return fromFiles(await filesUnder(absolute), pack, { path: absolute });
}

/** One file, named as the runtime's handlers are. */
function inlineCode(text: string, { runtime }: FunctionDeclaration, pack: PackFiles): Code {
  const isPython = /^(python|pytorch|tensorflow)/.test(runtimeNamed(runtime)?.name ?? '');
  const bytes = Buffer.from(text);
  return fromFiles([{ path: isPython ? 'handler.py' : 'handler.js', bytes }], pack, { inline: text });
}

function fromFiles(files: readonly CodeFile[], pack: PackFiles, more: Pick<Code, 'inline' | 'path'>): Code {
  // Of names and contents, not of a zip: how it is packed must not look like a change.
  const hash = createHash('sha256');
  for (const { path, bytes } of files) hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  return { sha256: hash.digest('hex'), zip: async () => (await pack(files)).bytes, ...more };
}

async function filesUnder(folder: string): Promise<CodeFile[]> {
  const files: CodeFile[] = [];
  const walk = async (at: string): Promise<void> => {
    for (const entry of await readdir(at, { withFileTypes: true })) {
      if (LEFT_OUT.has(entry.name)) continue;
      const path = join(at, entry.name);
      if (entry.isDirectory()) await walk(path);
      else if (entry.isFile()) {
        const mode = ((await stat(path)).mode & 0o100) === 0 ? 0o644 : 0o755;
        files.push({ path: relative(folder, path).split(sep).join('/'), bytes: await readFile(path), mode });
      }
    }
  };
  await walk(folder);
  if (files.length === 0) throw new Error(`${folder} holds no file.`);
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** @throws {FaasError} CONFIG that names the secret and the variable or file; never a value */
export async function readSecretValues(
  { secrets = {} }: Declarations,
  folder: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Map<Address, string>> {
  const values = new Map<Address, string>();
  for (const [key, declaration] of Object.entries(secrets)) {
    values.set(`secret.${key}`, await readValue(`secret.${key}`, declaration, folder, env));
  }
  return values;
}

async function readValue(
  address: string,
  { value_env: variable, value_file: file }: SecretDeclaration,
  folder: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  if (variable !== undefined) {
    const value = env[variable];
    if (value !== undefined && value !== '') return value;
    throw config(`${address} takes its value from the variable ${variable}, which is not set.`);
  }
  const path = resolve(folder, file ?? '');
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw config(`${address} takes its value from ${path}, which cannot be read.`, cause);
  });
  const value = textOf(bytes)?.replace(/\r?\n$/, '');
  if (value === undefined) {
    const what =
      'which is no text in UTF-8, and secrets are sent as text. Encode it first, as base64 perhaps';
    throw config(`${address} takes its value from ${path}, ${what}.`);
  }
  if (value === '') throw config(`${address} takes its value from ${path}, which is empty.`);
  return value;
}

/** Undefined for bytes that no text has: read as text, they would be other bytes. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function config(message: string, cause?: unknown): FaasError {
  return new FaasError({ code: 'CONFIG', executed: 'no', message, cause });
}
