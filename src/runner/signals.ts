/** Ties a runner to the signals that ask a process to end. */
import type { JobRunner } from './job-runner.js';

export interface StopOnSignalsOptions {
  /** Default SIGTERM and SIGINT. */
  readonly signals?: readonly NodeJS.Signals[];
  /** Grace period of the first signal; default the runner's. */
  readonly graceMs?: number;
}

/**
 * The first signal drains the runner; a second one cancels what still runs. Returns a function that lets go of
 * the signals; that happens by itself when the runner has stopped.
 */
export function stopOnSignals(runner: JobRunner, options: StopOnSignalsOptions = {}): () => void {
  const { signals = ['SIGTERM', 'SIGINT'], graceMs } = options;
  let received = 0;
  const listener = () => {
    received += 1;
    runner.stop(received > 1 ? { graceMs: 0 } : graceMs === undefined ? {} : { graceMs });
  };
  const letGo = () => {
    for (const signal of signals) process.off(signal, listener);
  };
  for (const signal of signals) process.on(signal, listener);
  runner.once('stopped', letGo);
  return letGo;
}
