/** What is read beside a file of declarations: code and the values of secrets. All that is missing is said at once. */
import { packageFiles } from '../../packaging/index.js';
import {
  type Address,
  type Code,
  type Declarations,
  type Desired,
  type Fault,
  type FunctionDeclaration,
  readCodes,
  readSecretValues,
  type SecretDeclaration,
} from '../../resources/index.js';
import type { Env } from '../provider.js';
import { inputsOf } from './providers.js';

/** What an apply sends. */
export interface Inputs {
  readonly desired: readonly Desired[];
  readonly codes: ReadonlyMap<Address, Code>;
  readonly secretValues: ReadonlyMap<Address, string>;
}

/** Of who only looks or deletes. */
export const NO_INPUTS: Inputs = { desired: [], codes: new Map(), secretValues: new Map() };

export interface ReadInputs extends Omit<Inputs, 'desired'> {
  readonly codeFaults: readonly Fault[];
  readonly secretFaults: readonly Fault[];
}

/** @param own absolute paths that are no part of a folder's code */
export async function readInputs(
  { provider, functions, secrets }: Declarations,
  folder: string,
  env: Env,
  own: readonly string[] = [],
): Promise<ReadInputs> {
  const codes = new Map<Address, Code>();
  const secretValues = new Map<Address, string>();
  const codeFaults: Fault[] = [];
  const secretFaults: Fault[] = [];
  for (const [key, one] of Object.entries(functions ?? {})) {
    const alone = { ...(provider !== undefined && { provider }), functions: { [key]: one } };
    await readCodes(alone, folder, packageFiles, { own, inputsOf }).then(
      (read) => addAll(codes, read),
      (failure: unknown) => codeFaults.push(codeFault(key, one, failure)),
    );
  }
  for (const [key, one] of Object.entries(secrets ?? {})) {
    await readSecretValues({ secrets: { [key]: one } }, folder, env).then(
      (read) => addAll(secretValues, read),
      (failure: unknown) => secretFaults.push(secretFault(key, one, failure)),
    );
  }
  return { codes, secretValues, codeFaults, secretFaults };
}

function addAll<Value>(all: Map<Address, Value>, some: ReadonlyMap<Address, Value>): void {
  for (const [address, value] of some) all.set(address, value);
}

function codeFault(key: string, { code_archive: archive }: FunctionDeclaration, failure: unknown): Fault {
  const cause = failure instanceof Error && failure.cause instanceof Error ? failure.cause : failure;
  const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
  return {
    path: ['functions', key, archive === undefined ? 'code_path' : 'code_archive'],
    message: `cannot be read: ${String(cause instanceof Error ? cause.message : cause).replace(/\.$/, '')}`,
    fix: isMissing ? 'Paths count from the folder of this file.' : 'Mend it, or name another one.',
  };
}

function secretFault(
  key: string,
  { value_env: variable, value_file: file }: SecretDeclaration,
  failure: unknown,
): Fault {
  if (variable !== undefined) {
    const message = `names the variable ${variable}, which is not set here`;
    return { path: ['secrets', key, 'value_env'], message, fix: 'Set it where `apply` runs.' };
  }
  const path = ['secrets', key, 'value_file'];
  if (!(failure instanceof Error) || failure.cause !== undefined) {
    const message = `names the file ${file}, which cannot be read here`;
    return { path, message, fix: 'Put it where `apply` runs.' };
  }
  // It is there, and it is no value: empty, or no text.
  const message = failure.message.replace(`secret.${key} `, '').replace(/\.$/, '');
  return { path, message, fix: 'Put a value there, where `apply` runs.' };
}
