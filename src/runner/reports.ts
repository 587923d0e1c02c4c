/** What a runner tells its listeners; and what goes wrong beside the jobs, which is counted and never silent. */
import type { EventEmitter } from 'node:events';
import type { RunnerEvents } from './events.js';
import type { Tally } from './tally.js';

/** Events about something that failed outside a job. */
export type Trouble =
  | 'producerError'
  | 'ackError'
  | 'consumerError'
  | 'parked'
  | 'serviceError'
  | 'shutdownError';

export class Reports {
  readonly #emitter: EventEmitter<RunnerEvents>;
  readonly #tally: Tally;
  readonly #warned = new Set<Trouble>();

  constructor(emitter: EventEmitter<RunnerEvents>, tally: Tally) {
    this.#emitter = emitter;
    this.#tally = tally;
  }

  /** A listener that throws must not end the runner. */
  tell<Name extends keyof RunnerEvents>(name: Name, ...args: RunnerEvents[Name]): void {
    try {
      (this.#emitter.emit as (name: string, ...args: unknown[]) => boolean).call(
        this.#emitter,
        name,
        ...args,
      );
    } catch (error) {
      warn(`A listener of the runner event "${name}" threw: ${String(error)}`, error);
    }
  }

  /**
   * Counts it, and tells it; where nobody listens, the first of its kind becomes a warning of the process.
   * @param warns false when somebody else hears of it
   */
  trouble<Name extends Trouble>(name: Name, event: RunnerEvents[Name][0], warns = true): void {
    this.#tally.addTrouble(name);
    if (this.#emitter.listenerCount(name) > 0) {
      this.tell(name, ...([event] as unknown as RunnerEvents[Name]));
    } else if (warns && !this.#warned.has(name)) {
      this.#warned.add(name);
      const hint = `Listen to all of them with runner.on('${name}', …); the summary that run() gives counts them.`;
      warn(`${DESCRIBE[name](event)} ${hint}`, 'error' in event ? event.error : undefined);
    }
  }
}

const DESCRIBE: { readonly [Name in Trouble]: (event: RunnerEvents[Name][0]) => string } = {
  producerError: ({ producer, error, restartInMs }) =>
    `Producer "${producer}" failed${restartInMs === undefined ? '' : ` and starts again in ${restartInMs} ms`}: ${String(error)}.`,
  ackError: ({ call, error }) => `The ${call}() of an item failed: ${String(error)}.`,
  consumerError: ({ consumer, outcome, error }) =>
    `Consumer "${consumer}" failed for an outcome of job "${outcome.jobName}": ${String(error)}.`,
  parked: ({ consumer, outcome, reason }) =>
    `Consumer "${consumer}" did not take an outcome of job "${outcome.jobName}": ${reason}. It is lost.`,
  serviceError: ({ service, error }) => `Service "${service}" failed: ${String(error)}.`,
  shutdownError: ({ handler, error }) => `Shutdown handler "${handler}" failed: ${String(error)}.`,
};

/** A warning of the process, for faults that nobody else is told about. */
export function warn(message: string, cause: unknown): void {
  const detail = cause instanceof Error ? { detail: cause.stack ?? cause.message } : {};
  process.emitWarning(message, { type: 'JobferryWarning', ...detail });
}
