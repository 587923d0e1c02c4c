/** A plan in a file: it holds for the state, the declarations and the world that it was made for, and for no other. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { FaasError } from '../../index.js';
import type { Plan } from '../../resources/index.js';
import { planData } from './render.js';

interface SavedPlan {
  readonly version: 1;
  readonly serial: number;
  readonly lineage: string;
  /** Of all actions with their changes. */
  readonly digest: string;
  readonly targets: readonly string[];
}

export async function savePlan(path: string, plan: Plan, targets: readonly string[]): Promise<void> {
  const { serial, lineage } = plan;
  const saved: SavedPlan = { version: 1, serial, lineage, digest: digestOf(plan), targets };
  await writeFile(path, `${JSON.stringify({ ...saved, ...planData(plan, []) }, null, 2)}\n`, { mode: 0o600 });
}

export async function readPlan(path: string): Promise<SavedPlan> {
  try {
    const saved = JSON.parse(await readFile(path, 'utf8')) as SavedPlan;
    if (saved.version === 1 && typeof saved.digest === 'string') return saved;
  } catch (cause) {
    throw refuse(
      'CONFIG',
      `${path} cannot be read as a saved plan: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    );
  }
  throw refuse('CONFIG', `${path} is no saved plan of this version.`);
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

function digestOf(plan: Plan): string {
  // What is made anew has no changes: what is wanted tells one file from another.
  const actions = plan.actions.map(({ key, kind, desired }) => [key, kind, desired]);
  return createHash('sha256').update(JSON.stringify(actions)).digest('hex');
}

function refuse(code: 'CONFIG' | 'CONFLICT', message: string, cause?: unknown): FaasError {
  return new FaasError({ code, executed: 'no', message, cause });
}
