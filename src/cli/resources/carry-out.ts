/** Shows a plan, asks, applies it, and tells how each resource fares. */
import {
  type ApplyProgress,
  type ApplyResult,
  apply,
  hasChanges,
  type State,
  stateToJson,
  writeState,
} from '../../resources/index.js';
import { useColour } from '../colour.js';
import { EXIT, exitCodeOf } from '../exit-codes.js';
import type { Report } from '../report.js';
import { confirm } from './confirm.js';
import type { Planned } from './planned.js';
import { planData, planLines } from './render.js';
import type { Session } from './session.js';

const STILL_EVERY_MS = 10_000;
const DOING = {
  create: 'creating',
  update: 'updating',
  replace: 'replacing',
  delete: 'deleting',
  'no-op': 'checking',
};
const DONE = {
  create: 'created',
  update: 'updated',
  replace: 'replaced',
  delete: 'deleted',
  'no-op': 'checked',
};

export interface CarryOutOptions {
  readonly autoApprove?: boolean;
  readonly concurrency?: number;
}

export async function carryOut(
  session: Session,
  planned: Planned,
  options: CarryOutOptions,
): Promise<Report> {
  const { drifts } = session;
  const { plan } = planned;
  for (const line of planLines(plan, drifts, useColour(process.stderr))) console.error(line);
  if (!hasChanges(plan)) {
    const { state } = await applyPlan(session, planned, options);
    return { lines: [], data: { ...planData(plan, drifts), outputs: plain(state.outputs) } };
  }
  if (options.autoApprove !== true) await confirm(session.signal);
  const result = await applyPlan(session, planned, options);
  return report(result, session.signal.aborted);
}

async function applyPlan(
  session: Session,
  { plan, inputs, state }: Planned,
  { concurrency }: CarryOutOptions,
): Promise<ApplyResult> {
  const { providers, backend, declarations, signal } = session;
  const watch = new Watch();
  try {
    return await apply(plan, await keepSeen(session, state), {
      ...inputs,
      provider: providers.get,
      save: (next) => writeState(backend, next),
      signal,
      ...(declarations.outputs && { outputs: declarations.outputs }),
      ...(concurrency !== undefined && { concurrency }),
      onProgress: (progress) => watch.tell(progress),
    });
  } finally {
    watch.stop();
  }
}

/** What was found gone or changed is known from now on, also when there is nothing to do about it. */
async function keepSeen({ backend, kept }: Session, state: State): Promise<State> {
  if (stateToJson(state) === stateToJson(kept)) return state;
  const seen = { ...state, serial: kept.serial + 1 };
  await writeState(backend, seen);
  return seen;
}

/** A line when something begins and ends, and every ten seconds between. */
class Watch {
  readonly #running = new Map<string, { action: ApplyProgress['action']; startedMs: number }>();
  readonly #timer = setInterval(() => this.#still(), STILL_EVERY_MS).unref();

  tell({ action, step, elapsedMs, error }: ApplyProgress): void {
    const { key, kind } = action;
    if (kind === 'no-op' && step !== 'failed') return;
    if (step === 'started') this.#running.set(key, { action, startedMs: performance.now() });
    else this.#running.delete(key);
    const after = `after ${(elapsedMs / 1000).toFixed(1)} s`;
    if (step === 'started') console.error(`${key}: ${DOING[kind]} …`);
    else if (step === 'done') console.error(`${key}: ${DONE[kind]} ${after}`);
    else if (step === 'skipped') console.error(`${key}: skipped`);
    else console.error(`${key}: failed ${after}: ${error instanceof Error ? error.message : String(error)}`);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #still(): void {
    for (const [key, { action, startedMs }] of this.#running) {
      console.error(
        `${key}: still ${DOING[action.kind]}, ${Math.round((performance.now() - startedMs) / 1000)} s so far`,
      );
    }
  }
}

function report({ done, failed, skipped, state }: ApplyResult, stopped: boolean): Report {
  const changed = done.filter(({ kind }) => kind !== 'no-op');
  const lines = [
    `${changed.length} done, ${failed.length} failed, ${skipped.length} skipped.`,
    ...(stopped ? ['Stopped. What was done is in the state: run it again to finish.'] : []),
    ...Object.entries(plain(state.outputs)).map(([name, value]) => `${name} = ${JSON.stringify(value)}`),
  ];
  const errors = failed.map(({ action, error }) => ({
    key: action.key,
    error: error instanceof Error ? error.message : String(error),
  }));
  const data = {
    done: changed.map(({ key, kind }) => ({ key, kind })),
    failed: errors,
    skipped: skipped.map(({ key }) => key),
    outputs: plain(state.outputs),
  };
  const [first] = failed;
  const exitCode = stopped ? EXIT.interrupted : first === undefined ? EXIT.ok : exitCodeOf(first.error);
  return { lines, data, exitCode: exitCode === EXIT.ok && skipped.length > 0 ? EXIT.failed : exitCode };
}

/** Without the types beside the values. */
export function plain(
  outputs: Readonly<Record<string, { readonly value: unknown }>>,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(outputs).map(([name, { value }]) => [name, value]));
}
