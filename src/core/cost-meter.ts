/** Who knows what calls cost: the ledger of `jobferry/costs`, or one of your own. The budget layer asks it. */
import type { Executed } from './errors.js';
import type { CallMetrics, JobId } from './job.js';

/** One attempt that has ended. */
export interface EndedAttempt {
  readonly jobId: JobId;
  /** The provider id of the executor that made it. */
  readonly provider: string;
  /** Did the function run? One that did not costs nothing. */
  readonly executed: Executed;
  /** Absent when the attempt failed. */
  readonly metrics?: CallMetrics;
}

/** What `budget` asks. `ledger({ jobs })` is one; write another to count in another way. */
export interface CostMeter {
  /** What the next attempt may cost, in USD: the sum to set aside for it. Undefined when nothing is known. */
  expectedUsd(jobId: JobId, provider: string): number | undefined;
  /** Writes an attempt down; returns its cost in USD, or undefined when its metrics do not tell. */
  record(attempt: EndedAttempt): number | undefined;
}
