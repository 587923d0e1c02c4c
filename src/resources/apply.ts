/** Carries out a plan: what does not wait for one another side by side, and as much as can be done when something fails. */

import { FaasError } from '../core/errors.js';
import type { Declarations } from './core/model.js';
import type { Action, Plan } from './core/plan.js';
import { redacted } from './core/redact.js';
import type { State } from './core/state.js';
import { applyFunction } from './function-steps.js';
import { Run, type RunOptions } from './run.js';
import { applySecret } from './secret-steps.js';
import { Slots } from './slots.js';
import { DEFAULT_WAITS, type WaitOptions } from './waits.js';

export interface ApplyOptions extends Omit<RunOptions, 'waits'> {
  readonly waits?: Partial<WaitOptions>;
  /** Actions at once. Default 4. */
  readonly concurrency?: number;
  readonly outputs?: Declarations['outputs'];
  readonly onProgress?: (progress: ApplyProgress) => void;
}

export interface ApplyProgress {
  readonly action: Action;
  readonly step: 'started' | 'done' | 'failed' | 'skipped';
  readonly elapsedMs: number;
  readonly error?: unknown;
}

export interface ApplyResult {
  readonly state: State;
  readonly done: readonly Action[];
  readonly failed: readonly { readonly action: Action; readonly error: unknown }[];
  /** Not begun: what they wait for failed, or the run was stopped. */
  readonly skipped: readonly Action[];
}

/**
 * Each action whose predecessors are done is carried out; those of a failed one are skipped, the others go on. The state
 * is saved after each change, so that a run that is cut off anywhere is finished by the next one.
 */
export async function apply(plan: Plan, state: State, options: ApplyOptions): Promise<ApplyResult> {
  const { concurrency = 4, onProgress = () => {}, outputs = {}, signal } = options;
  const run = new Run(state, { ...options, waits: { ...DEFAULT_WAITS, ...options.waits } });
  const slots = new Slots(concurrency);
  const ends = new Map<string, Promise<End>>();

  const carryOut = async (action: Action): Promise<End> => {
    const startedMs = performance.now();
    const tell = (step: ApplyProgress['step'], error?: unknown) =>
      onProgress({
        action,
        step,
        elapsedMs: performance.now() - startedMs,
        ...(error !== undefined && { error }),
      });
    if (signal.aborted) {
      tell('skipped');
      return { action, how: 'skipped' };
    }
    tell('started');
    try {
      await (action.key.startsWith('function.') ? applyFunction(action, run) : applySecret(action, run));
      tell('done');
      return { action, how: 'done' };
    } catch (failure) {
      const error = withoutSecrets(failure, options.secretValues.values());
      tell('failed', error);
      return { action, how: 'failed', error };
    }
  };

  const inTurn = async (action: Action): Promise<End> => {
    const before = await Promise.all(action.after.map((key) => ends.get(key)));
    if (before.every((end) => end === undefined || end.how === 'done'))
      return slots.run(() => carryOut(action));
    onProgress({ action, step: 'skipped', elapsedMs: 0 });
    return { action, how: 'skipped' };
  };

  // Each action stands behind those it waits for, so that their ends are there to be waited for.
  for (const action of plan.actions) ends.set(action.key, inTurn(action));
  const all = await Promise.all(ends.values());
  const values = outputsOf(outputs, run.state);
  if (JSON.stringify(values) !== JSON.stringify(run.state.outputs)) {
    await run.change((current) => ({ ...current, outputs: values }));
  }
  return {
    state: run.state,
    done: all.filter(({ how }) => how === 'done').map(({ action }) => action),
    failed: all.flatMap(({ action, how, error }) => (how === 'failed' ? [{ action, error }] : [])),
    skipped: all.filter(({ how }) => how === 'skipped').map(({ action }) => action),
  };
}

/** What a server says may hold what it was sent. */
function withoutSecrets(failure: unknown, secrets: Iterable<string>): unknown {
  if (!(failure instanceof Error)) return failure;
  const message = redacted(failure.message, secrets);
  if (message === failure.message) return failure;
  return FaasError.is(failure) ? failure.with({ message, cause: undefined }) : new Error(message);
}

interface End {
  readonly action: Action;
  readonly how: 'done' | 'failed' | 'skipped';
  readonly error?: unknown;
}

/** `function.KEY.ATTRIBUTE` -> what the state has there. Hashes of secrets are no outputs. */
export function outputsOf(outputs: NonNullable<Declarations['outputs']>, state: State): State['outputs'] {
  const entries = Object.entries(outputs).flatMap(([name, reference]) => {
    const [type, key, attribute = ''] = reference.split('.');
    const resource = state.resources.get(`${type}.${key}` as `function.${string}`);
    const value = (resource?.attributes as Record<string, unknown> | undefined)?.[attribute];
    const isPlain = typeof value === 'string' || typeof value === 'number';
    return isPlain && attribute !== 'value_hash' ? [[name, { value, type: 'string' as const }] as const] : [];
  });
  return Object.fromEntries(entries);
}
