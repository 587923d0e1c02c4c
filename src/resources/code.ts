/** The code of the functions that a file declares, and the values of its secrets: all that is read beside it. */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { FaasError } from '../core/errors.js';
import type { Artifact } from '../core/executor.js';
import { type CodeFile, filesUnder } from './code-files.js';
import type { Address, Declarations, FunctionDeclaration, SecretDeclaration } from './core/model.js';
import { DEFAULT_PROVIDER } from './core/resolve.js';
import { runtimeNamed } from './core/runtimes.js';
import type { Code } from './provider.js';

/** `packageFiles` of `jobferry/packaging`: same files, same bytes. */
export type PackFiles = (files: readonly CodeFile[]) => Promise<Artifact>;

export interface CodeOptions {
  /** Absolute paths of the state and of the file that declares the functions: no part of a folder's code. */
  readonly own?: readonly string[];
  /**
   * For providers that bundle what a handler imports: those files, by names that are the same on every machine. They tell
   * whether the code has changed; undefined where the files of `code_path` themselves do.
   */
  readonly inputsOf?: (path: string, provider: string) => Promise<readonly CodeFile[] | undefined>;
}

/** @throws {FaasError} CONFIG that names the function and its file */
export async function readCodes(
  { functions, provider = DEFAULT_PROVIDER }: Declarations,
  folder: string,
  pack: PackFiles,
  options: CodeOptions = {},
): Promise<Map<Address, Code>> {
  const codes = new Map<Address, Code>();
  for (const [key, declaration] of Object.entries(functions ?? {})) {
    const address: Address = `function.${key}`;
    const code = await readCode({ provider, ...declaration }, folder, pack, options).catch(
      (cause: unknown) => {
        throw config(
          `The code of ${address} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
          cause,
        );
      },
    );
    if (code !== undefined) codes.set(address, code);
  }
  return codes;
}

async function readCode(
  declaration: FunctionDeclaration & { readonly provider: string },
  folder: string,
  pack: PackFiles,
  { own = [], inputsOf }: CodeOptions,
): Promise<Code | undefined> {
  const { code_inline: inline, code_path: path, code_archive: archive } = declaration;
  if (inline !== undefined) return inlineCode(inline, declaration, pack);
  if (archive !== undefined) {
    const file = resolve(folder, archive);
    const bytes = await readFile(file);
    if (bytes.length < 4 || bytes.readUInt32BE(0) !== 0x504b0304) throw new Error(`${file} is no zip file.`);
    return { sha256: sha256(bytes), path: file, zip: async () => bytes };
  }
  if (path === undefined) return undefined;
  const absolute = resolve(folder, path);
  const isFile = (await stat(absolute)).isFile();
  const inputs = await inputsOf?.(absolute, declaration.provider);
  if (isFile) {
    const bytes = await readFile(absolute);
    const files = [{ path: basename(absolute), bytes }];
    return fromFiles(files, pack, { inline: bytes.toString('utf8'), path: absolute }, inputs);
  }
  // What is bundled is not uploaded as it is: nothing else in the folder matters.
  const files = inputs ?? (await filesUnder(absolute, own));
  return fromFiles(files, pack, { path: absolute });
}

/** One file, named as the runtime's handlers are. */
function inlineCode(text: string, { runtime }: FunctionDeclaration, pack: PackFiles): Code {
  const isPython = /^(python|pytorch|tensorflow)/.test(runtimeNamed(runtime)?.name ?? '');
  const bytes = Buffer.from(text);
  return fromFiles([{ path: isPython ? 'handler.py' : 'handler.js', bytes }], pack, { inline: text });
}

function fromFiles(
  files: readonly CodeFile[],
  pack: PackFiles,
  more: Pick<Code, 'inline' | 'path'>,
  hashed = files,
): Code {
  // Of names and contents, not of a zip: how it is packed must not look like a change.
  const hash = createHash('sha256');
  for (const { path, bytes } of hashed) hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  return { sha256: hash.digest('hex'), zip: async () => (await pack(files)).bytes, ...more };
}

/** @throws {FaasError} CONFIG that names the secret and the variable or file; never a value */
export async function readSecretValues(
  { secrets }: Declarations,
  folder: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Map<Address, string>> {
  const values = new Map<Address, string>();
  for (const [key, declaration] of Object.entries(secrets ?? {})) {
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
