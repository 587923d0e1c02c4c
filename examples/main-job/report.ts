/** Follows the run: writes copies, shows progress, prints the table at the end. */
import type { FaasError, OutcomeOf } from 'jobferry';
import { printable, type RelativePath, reasonOf } from './files.ts';
import type { checksum, compress } from './jobs.ts';
import { writeCopy } from './output.ts';
import { type FileEvents, pathOf } from './producer.ts';
import { Progress } from './progress.ts';
import { table } from './table.ts';
import { JobTally } from './tally.ts';

type MainOutcome = OutcomeOf<typeof checksum> | OutcomeOf<typeof compress>;

export class Report implements FileEvents {
  readonly #out: string;
  readonly #progress: Progress;
  readonly #jobs = { checksum: new JobTally(), compress: new JobTally() };
  readonly #startedMs = performance.now();
  #local = 0;
  #faas = 0;
  #bytesRead = 0;
  #skipped = 0;
  #otherFailures = 0;

  constructor(out: string, totalFiles: number) {
    this.#out = out;
    this.#progress = new Progress(totalFiles);
  }

  skipped(path: RelativePath, what: string): void {
    this.#skipped += 1;
    this.#progress.note(`skipped ${printable(path)}: a ${what}`);
  }

  fileFailed(path: RelativePath, reason: string): void {
    for (const tally of Object.values(this.#jobs)) tally.failed += 1;
    this.#progress.note(`failed ${printable(path)}: ${reason}`);
    this.#progress.step();
  }

  fileRead(bytes: number): void {
    this.#bytesRead += bytes;
  }

  /** Something that belongs to no file. */
  failed(what: string, error: unknown): void {
    this.#otherFailures += 1;
    this.#progress.note(`failed ${what}: ${reasonOf(error)}`);
  }

  draining(): void {
    this.#progress.note('stopping: finishing what was begun (once more to stop at once)');
  }

  async add(outcome: MainOutcome): Promise<void> {
    const path = pathOf(outcome.metadata);
    if (outcome.ranOn === 'local') this.#local += 1;
    else this.#faas += 1;
    const failure = outcome.status === 'ok' ? await this.#keep(outcome, path) : outcome.error;
    const tally = this.#jobs[outcome.jobName];
    tally.add(failure === undefined ? 'ok' : 'failed', outcome.ranOn, outcome.metrics);
    tally.bytesIn += outcome.input.length;
    if (failure !== undefined)
      this.#progress.note(`failed ${outcome.jobName} of ${printable(path)}: ${failure.message}`);
    if (outcome.jobName === 'compress') this.#progress.step();
  }

  /** Returns why a good result could not be kept. */
  async #keep(
    outcome: MainOutcome & { status: 'ok' },
    path: RelativePath,
  ): Promise<FaasError | Error | undefined> {
    const tally = this.#jobs[outcome.jobName];
    if (outcome.jobName === 'checksum') {
      tally.bytesOut += outcome.value.length;
      return undefined;
    }
    try {
      await writeCopy(this.#out, path, outcome.value);
      tally.bytesOut += outcome.value.length;
      return undefined;
    } catch (error) {
      return new Error(`its copy cannot be written: ${reasonOf(error)}`);
    }
  }

  /** Prints the result; true when nothing failed. */
  finish(json: boolean): boolean {
    this.#progress.end();
    const { checksum, compress } = this.#jobs;
    const jobs = { checksum: checksum.figures(), compress: compress.figures() };
    const seconds = Math.round(performance.now() - this.#startedMs) / 1000;
    const ok = checksum.ok + compress.ok;
    const failed = checksum.failed + compress.failed + this.#otherFailures;
    if (json) {
      const counts = { ok, failed, local: this.#local, faas: this.#faas };
      console.log(
        JSON.stringify({ ...counts, bytesIn: this.#bytesRead, bytesOut: compress.bytesOut, seconds, jobs }),
      );
    } else {
      console.log(table(jobs));
      const skipped = this.#skipped > 0 ? `, ${this.#skipped} skipped` : '';
      console.log(`\n${ok} ok, ${failed} failed${skipped} in ${seconds} s. The copies are in ${this.#out}`);
    }
    return failed === 0;
  }
}
