/** Ties a runner to the signals that ask a process to end. */
import type { JobRunner } from './job-runner.js';

/** Which signals, and how long they leave for the work under way. */
export interface StopOnSignalsOptions {
  /** Default SIGTERM and SIGINT. */
  readonly signals?: readonly NodeJS.Signals[];
  /** Milliseconds of grace after the first signal; default the runner's. */
  readonly graceMs?: number;
}

/**
 * The first signal drains the runner; a second one cancels what still runs. Before `run()` the first one makes that
 * return at once, and a second one has its usual effect on the process.
 * @returns lets go of the signals; that happens by itself when the runner has stopped
 */
export function stopOnSignals(runner: JobRunner, options: StopOnSignalsOptions = {}): () => void {
  const { signals = ['SIGTERM', 'SIGINT'], graceMs } = options;
  let received = 0;
  const listener = () => {
    received += 1;
    // While the program still starts, nothing of the runner's can be cut short: the next signal is not ours to hold back.
    if (runner.phase === 'idle') letGo();
    runner.stop(received > 1 ? { graceMs: 0 } : graceMs === undefined ? {} : { graceMs });
  };
  const letGo = () => {
    for (const signal of signals) process.off(signal, listener);
  };
  for (const signal of signals) process.on(signal, listener);
  runner.once('stopped', letGo);
  return letGo;
}
