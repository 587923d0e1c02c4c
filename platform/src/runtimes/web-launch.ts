/** What an instance of a web function is started with: its command, its environment and what it may read. */

import { mkdir, writeFile } from 'node:fs/promises';
import { delimiter, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { CodeStore } from '../code/code-store.js';
import { findHandlerFile } from '../code/handler-file.js';
import { PlatformError } from '../domain/errors.js';
import type { WebFunction } from '../domain/web-function.js';
import type { SecretStore } from '../store/secret-store.js';
import type { Berth } from './berth.js';
import type { Interpreters } from './interpreters.js';
import type { Sandbox, Shown } from './sandbox.js';

export interface WebLaunchParts {
  readonly code: CodeStore;
  readonly secrets: SecretStore;
  readonly interpreters: Interpreters;
  readonly sandbox: Sandbox | undefined;
}

export interface WebLaunch {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Where it starts; not writable in a sandbox. */
  readonly folder: string;
  readonly shown: readonly Shown[];
}

/** Where functions look for the files of their secrets, in a sandbox. */
const SECRET_FOLDERS = ['/var/secrets', '/var/openfaas/secrets'];
const HOSTS = fileURLToPath(new URL('./managed/', import.meta.url));
const SOURCE_EXTENSION = extname(import.meta.url);
const PATH = [dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'].join(delimiter);

/** @throws PlatformError INVALID_PACKAGE, EXECUTION_ERROR, NOT_FOUND for a secret */
export async function prepareLaunch(
  fn: WebFunction,
  berth: Berth,
  parts: WebLaunchParts,
): Promise<WebLaunch> {
  const folder = fn.code === undefined ? join(berth.folder, 'empty') : parts.code.pathOf(fn.code);
  if (fn.code === undefined) await mkdir(folder);
  const secretsFolder = join(berth.folder, 'secrets');
  const values = await writeSecrets(fn, secretsFolder, parts.secrets);
  // OpenFaaS gives secrets to programs as files alone, and programs hand their variables on.
  const secretEnv = fn.program.kind === 'managed' ? values : {};
  const { command, shown } = await commandOf(fn, folder, parts.interpreters);
  const isSandboxed = parts.sandbox !== undefined;
  return {
    command,
    folder,
    shown: [
      { from: HOSTS, to: HOSTS },
      ...shown,
      ...(fn.secrets.length > 0 ? SECRET_FOLDERS.map((to) => ({ from: secretsFolder, to })) : []),
    ],
    env: {
      PATH,
      LANG: 'C.UTF-8',
      TZ: 'UTC',
      // Its code folder cannot be written, and what it prints is to be seen at once.
      PYTHONUNBUFFERED: '1',
      PYTHONDONTWRITEBYTECODE: '1',
      ...secretEnv,
      ...fn.env,
      HOME: berth.home,
      TMPDIR: berth.home,
      FAAS_FUNCTION_ID: fn.id,
      FAAS_FUNCTION_NAME: fn.name,
      FAAS_MEMORY_MB: String(fn.limits.memoryMb),
      FAAS_TIMEOUT_SECS: String(fn.limits.timeoutSecs),
      ...(fn.secrets.length > 0 && {
        // A plain process shares the machine's file system, so its secrets have no fixed place.
        FAAS_SECRETS_DIR: isSandboxed ? (SECRET_FOLDERS[0] ?? '') : secretsFolder,
      }),
    },
  };
}

async function commandOf(
  { program }: WebFunction,
  folder: string,
  interpreters: Interpreters,
): Promise<{ readonly command: readonly string[]; readonly shown: readonly Shown[] }> {
  if (program.kind === 'command') {
    const host = join(HOSTS, `program-host${SOURCE_EXTENSION}`);
    return { command: [process.execPath, host, program.command], shown: [] };
  }
  const { language, handler } = program;
  const interpreter = await interpreters.of(language);
  if (typeof interpreter === 'string') {
    throw new PlatformError('EXECUTION_ERROR', `The function cannot be started: ${interpreter}.`);
  }
  const file = await findHandlerFile(folder, language);
  const host = join(HOSTS, language === 'python' ? 'python-host.py' : `node-host${SOURCE_EXTENSION}`);
  return { command: [interpreter.file, host, file, handler], shown: interpreter.shown };
}

/** Files with exactly the values, and the same as variables where they are text. */
async function writeSecrets(
  { namespace, secrets }: WebFunction,
  folder: string,
  store: SecretStore,
): Promise<Record<string, string>> {
  const env: Record<string, string> = {};
  if (secrets.length > 0) await mkdir(folder, { mode: 0o700 });
  for (const name of secrets) {
    const value = await store.value(namespace, name);
    await writeFile(join(folder, name), value, { mode: 0o600 });
    const text = value.toString('utf8');
    if (!text.includes('\0') && Buffer.from(text).equals(value)) env[variableOf(name)] = text;
  }
  return env;
}

/** `db-password` -> `DB_PASSWORD`. */
export function variableOf(secret: string): string {
  const name = secret.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');
  return /^[0-9]/.test(name) ? `_${name}` : name;
}
