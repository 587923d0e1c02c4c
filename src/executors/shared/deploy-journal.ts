/** What a deploy has done so far: for progress events, and to name what a broken one left behind. */
import { FaasError } from '../../core/errors.js';
import type { JobId } from '../../core/job.js';

/** One step of a deploy; each room has its own names of steps. */
export interface StepProgress<Step extends string> {
  readonly jobId: JobId;
  readonly functionName: string;
  readonly step: Step;
  /** Milliseconds since the deploy began. */
  readonly elapsedMs: number;
}

export class DeployJournal<Step extends string> {
  readonly #subject: { readonly jobId: JobId; readonly functionName: string };
  readonly #onProgress: ((progress: StepProgress<Step>) => void) | undefined;
  readonly #startedMs = performance.now();
  readonly #written: Step[] = [];
  #step: Step;
  #waitingFor = '';

  constructor(
    first: Step,
    subject: { readonly jobId: JobId; readonly functionName: string },
    onProgress: ((progress: StepProgress<Step>) => void) | undefined,
  ) {
    this.#step = first;
    this.#subject = subject;
    this.#onProgress = onProgress;
  }

  /** What is being looked at: named when it fails, and no progress yet. */
  at(step: Step): void {
    this.#step = step;
    this.#waitingFor = '';
  }

  begin(step: Step): void {
    this.at(step);
    const { jobId, functionName } = this.#subject;
    this.#onProgress?.({ jobId, functionName, step, elapsedMs: performance.now() - this.#startedMs });
  }

  /** @param what has to end, in the provider's words */
  waitFor(step: Step, what: string): void {
    this.begin(step);
    this.#waitingFor = what;
  }

  written(step: Step): void {
    this.#written.push(step);
  }

  /** The failure, with the step it happened at and what had been written by then. */
  explain(failure: unknown): unknown {
    if (!FaasError.is(failure)) return failure;
    const { functionName } = this.#subject;
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
