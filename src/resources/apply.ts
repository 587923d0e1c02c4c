/** Carries out a plan: what does not wait for one another side by side, and as much as can be done when something fails. */

import type { Declarations } from './core/model.js';
import type { Action, Plan } from './core/plan.js';
import type { State } from './core/state.js';
import { applyFunction } from './function-steps.js';
import { Run, type RunOptions } from './run.js';
import { applySecret } from './secret-steps.js';
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
  const { concurrency = 4, onProgress = () => {}, outputs = {} } = options;
  const run = new Run(state, { ...options, waits: { ...DEFAULT_WAITS, ...options.waits } });
  const ends = new Map<string, 'done' | 'failed' | 'skipped'>();
  const failed: { action: Action; error: unknown }[] = [];
  const waiting = new Set(plan.actions);
  const present = new Set(plan.actions.map(({ key }) => key));

  const carryOut = async (action: Action): Promise<void> => {
    const startedMs = performance.now();
    const tell = (step: ApplyProgress['step'], error?: unknown) =>
      onProgress({
        action,
        step,
        elapsedMs: performance.now() - startedMs,
        ...(error !== undefined && { error }),
      });
    const stopped =
      options.signal.aborted || action.after.some((key) => present.has(key) && ends.get(key) !== 'done');
    if (stopped) {
      ends.set(action.key, 'skipped');
      return tell('skipped');
    }
    tell('started');
    try {
      await (action.key.startsWith('function.') ? applyFunction(action, run) : applySecret(action, run));
      ends.set(action.key, 'done');
      tell('done');
    } catch (error) {
      ends.set(action.key, 'failed');
      failed.push({ action, error });
      tell('failed', error);
    }
  };

  const lane = async (): Promise<void> => {
    while (waiting.size > 0) {
      const ready = [...waiting].find(({ after }) =>
        after.every((key) => !present.has(key) || ends.has(key)),
      );
      if (ready === undefined) {
        // Something that others wait for is under way in another lane.
        await new Promise((resolve) => setTimeout(resolve, 5));
        continue;
      }
      waiting.delete(ready);
      await carryOut(ready);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, concurrency) }, lane));
  const values = outputsOf(outputs, run.state);
  if (JSON.stringify(values) !== JSON.stringify(run.state.outputs)) {
    await run.change((current) => ({ ...current, outputs: values }));
  }
  const ended = (how: string) => plan.actions.filter(({ key }) => ends.get(key) === how);
  return { state: run.state, done: ended('done'), failed, skipped: ended('skipped') };
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
