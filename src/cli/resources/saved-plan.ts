/** A plan in a file: it holds for the state, the declarations and the world that it was made for, and for no other. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { FaasError } from '../../index.js';
import type { Plan } from '../../resources/index.js';
import type { Wanted } from './planned.js';
import { planData } from './render.js';

interface SavedPlan {
  readonly version: 2;
  readonly serial: number;
  readonly lineage: string;
  /** Of all actions with their changes. */
  readonly digest: string;
  /** Addresses; empty for all. */
  readonly target: readonly string[];
  /** Of `plan --destroy`. */
  readonly destroy: boolean;
}

export async function savePlan(path: string, plan: Plan, { target, destroy = false }: Wanted): Promise<void> {
  const { serial, lineage } = plan;
  const saved: SavedPlan = { version: 2, serial, lineage, digest: digestOf(plan), target, destroy };
  await writeFile(path, `${JSON.stringify({ ...saved, ...planData(plan, []) }, null, 2)}\n`, { mode: 0o600 });
}

/** @throws {FaasError} CONFIG for what is no saved plan */
export async function readPlan(path: string): Promise<SavedPlan> {
  let saved: unknown;
  try {
    saved = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw refuse(
      'CONFIG',
      `${path} cannot be read as a saved plan: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    );
  }
  if (isSavedPlan(saved)) return saved;
  throw refuse('CONFIG', `${path} is no saved plan of this version. Make one with \`jobferry plan --out\`.`);
}

function isSavedPlan(value: unknown): value is SavedPlan {
  if (typeof value !== 'object' || value === null) return false;
  const { version, serial, lineage, digest, target, destroy } = value as Readonly<Record<string, unknown>>;
  return (
    version === 2 &&
    typeof serial === 'number' &&
    typeof lineage === 'string' &&
    typeof digest === 'string' &&
    Array.isArray(target) &&
    target.every((address) => typeof address === 'string') &&
    typeof destroy === 'boolean'
  );
}

/** @throws {FaasError} CONFLICT when anything has changed since it was saved */
export function checkPlan(saved: SavedPlan, plan: Plan): void {
  const { serial, lineage } = plan;
  if (saved.lineage !== lineage) throw refuse('CONFLICT', 'The saved plan is for another state.');
  if (saved.serial !== serial) {
    throw refuse(
      'CONFLICT',
      `The saved plan is for serial ${saved.serial} of the state, which is ${serial} by now. Plan again.`,
    );
  }
  if (saved.digest !== digestOf(plan)) {
    throw refuse('CONFLICT', 'The file, or what is there, has changed since the plan was saved. Plan again.');
  }
}

/** What is wanted, and what it was compared with: what has changed outside since is no part of what was looked at. */
function digestOf(plan: Plan): string {
  const actions = plan.actions.map(({ key, kind, groups, changes, desired, prior }) => [
    key,
    kind,
    groups,
    changes,
    desired,
    prior?.provider,
    prior?.status,
    prior?.attributes.id,
  ]);
  return createHash('sha256').update(JSON.stringify(actions)).digest('hex');
}

function refuse(code: 'CONFIG' | 'CONFLICT', message: string, cause?: unknown): FaasError {
  return new FaasError({ code, executed: 'no', message, cause });
}
