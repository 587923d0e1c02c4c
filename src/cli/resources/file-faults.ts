/** What is wrong with a file beside its own words: providers nobody knows, code that is not there. */
import { type Declarations, type Fault, VARIABLE_NAME } from '../../resources/index.js';
import type { Env } from '../provider.js';
import { readInputs } from './inputs.js';
import { PROVIDER_NAMES } from './providers.js';

type Fields = Readonly<Record<string, unknown>>;

/** @param value of a file that may have other faults: what makes no sense in it is passed over here */
export async function faultsBeside(value: unknown, folder: string, env: Env): Promise<Fault[]> {
  const declarations = sound(value);
  const { codeFaults, secretFaults } = await readInputs(declarations, folder, env);
  // An apply may run elsewhere, where the secrets are.
  const warnings = secretFaults.map((fault): Fault => ({ ...fault, severity: 'warning' }));
  return [...providerFaults(declarations), ...codeFaults, ...warnings];
}

export function providerFaults({ provider, functions, secrets }: Declarations): Fault[] {
  const named: [path: string[], provider: string | undefined][] = [
    [['provider'], provider],
    ...Object.entries(functions ?? {}).map(([key, one]) => at(['functions', key, 'provider'], one.provider)),
    ...Object.entries(secrets ?? {}).map(([key, one]) => at(['secrets', key, 'provider'], one.provider)),
  ];
  return named
    .filter(([, name]) => name !== undefined && !PROVIDER_NAMES.includes(name))
    .map(([path, name]) => ({
      path,
      message: `${JSON.stringify(name)} is no provider`,
      fix: `Use one of ${PROVIDER_NAMES.join(', ')}.`,
    }));
}

function at(path: string[], provider: string | undefined): [string[], string | undefined] {
  return [path, provider];
}

/** The fields that are read here, where they are text. */
function sound(value: unknown): Declarations {
  const file = objectOf(value);
  const each = (entries: unknown, fields: readonly string[]) =>
    Object.fromEntries(
      Object.entries(objectOf(entries)).map(([key, one]) => [key, textsOf(objectOf(one), fields)]),
    );
  const functions = each(file['functions'], ['provider', 'code_path', 'code_archive']);
  const secrets = each(file['secrets'], ['provider', 'value_env', 'value_file']);
  // What is no name of a variable may be the value itself: it is not looked for, and not named.
  const withValue = Object.entries(secrets).filter(
    ([, { value_env: variable, value_file: file }]) =>
      VARIABLE_NAME.test(variable ?? '') || (variable === undefined && file !== undefined),
  );
  return {
    ...textsOf(file, ['provider']),
    functions: functions as unknown as NonNullable<Declarations['functions']>,
    secrets: Object.fromEntries(withValue),
  };
}

function textsOf(fields: Fields, names: readonly string[]): Record<string, string> {
  const texts = names.map((name) => [name, fields[name]] as const);
  return Object.fromEntries(
    texts.filter((one): one is [string, string] => typeof one[1] === 'string' && one[1] !== ''),
  );
}

function objectOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
