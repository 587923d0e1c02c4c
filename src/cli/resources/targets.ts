/** The option `--target` of several commands over declared functions. */
import type { Address, Declarations, PlanOptions } from '../../resources/index.js';
import { usageError } from '../exit-codes.js';
import type { Session } from './session.js';

export interface TargetsOption {
  readonly target: readonly string[];
}

export function addTarget(text: string, all: readonly string[]): string[] {
  if (/^(function|secret)\.[^.]+$/.test(text)) return [...all, text];
  throw usageError(`--target ${JSON.stringify(text)}: use function.KEY or secret.KEY.`);
}

/** @throws {FaasError} CONFIG for a target that neither the file nor its state knows: doing nothing would look like done */
export function targetsOf(
  targets: readonly string[],
  { declarations, state, drifts }: Pick<Session, 'declarations' | 'state' | 'drifts'>,
): PlanOptions {
  if (targets.length === 0) return {};
  // What was found gone was known.
  const gone = drifts.map(({ address }) => address);
  const known = new Set<string>([...addressesOf(declarations), ...state.resources.keys(), ...gone]);
  const unknown = targets.filter((target) => !known.has(target));
  if (unknown.length > 0) {
    const all = [...known].sort().join(', ') || 'nothing';
    throw usageError(
      `--target ${unknown.join(', ')} is not in the file and not in its state. There is ${all}.`,
    );
  }
  return { targets: targets as readonly Address[] };
}

function addressesOf({ functions, secrets }: Declarations): string[] {
  return [
    ...Object.keys(functions ?? {}).map((key) => `function.${key}`),
    ...Object.keys(secrets ?? {}).map((key) => `secret.${key}`),
  ];
}
