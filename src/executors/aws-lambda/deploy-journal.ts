/** What a deploy has done so far: for progress events, and to name what a broken one left behind. */
import type { FunctionConfiguration } from '@aws-sdk/client-lambda';
import { FaasError } from '../../core/errors.js';
import type { FunctionSpec } from './function-spec.js';
import { reasonOf } from './function-state.js';
import type { DeployProgress, DeployStep } from './options.js';

export class DeployJournal {
  readonly #spec: FunctionSpec;
  readonly #onProgress: ((progress: DeployProgress) => void) | undefined;
  readonly #startedMs = performance.now();
  readonly #written: DeployStep[] = [];
  #step: DeployStep = 'read';
  #waitingFor = '';

  constructor(spec: FunctionSpec, onProgress: ((progress: DeployProgress) => void) | undefined) {
    this.#spec = spec;
    this.#onProgress = onProgress;
  }

  /** What is being looked at: named when it fails, and no progress yet. */
  at(step: DeployStep): void {
    this.#step = step;
    this.#waitingFor = '';
  }

  begin(step: DeployStep): void {
    this.at(step);
    const { jobId, functionName } = this.#spec;
    this.#onProgress?.({ jobId, functionName, step, elapsedMs: performance.now() - this.#startedMs });
  }

  waitFor(current: FunctionConfiguration | string): void {
    this.begin('wait');
    this.#waitingFor = typeof current === 'string' ? current : reasonOf(current);
  }

  written(step: DeployStep): void {
    this.#written.push(step);
  }

  /** The failure, with the step it happened at and what had been written by then. */
  explain(failure: unknown): unknown {
    if (!FaasError.is(failure)) return failure;
    const { functionName } = this.#spec;
    const waiting = this.#waitingFor === '' ? '' : ` for the end of: ${this.#waitingFor}`;
    const partly = this.#written.length > 0;
    const done = partly ? ` in part (done: ${[...new Set(this.#written)].join(', ')})` : '';
    const state = `${functionName} was ${partly ? '' : 'not '}deployed${done}`;
    const advice = partly ? ' Deploy again to finish it.' : '';
    return failure.with({
      executed: 'no',
      functionName,
      message: `${state}; it failed at ${this.#step}${waiting}. ${failure.message}${advice}`,
    });
  }
}
