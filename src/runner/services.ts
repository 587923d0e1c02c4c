/** What runs around the jobs: background services beside them, shutdown handlers after them. */
import { stoppedAsTold } from './grace.js';
import { TimeLimit } from './time-limit.js';

/** Work beside the jobs; a function, or an object whose `name` is shown in events. */
export type BackgroundService = ServiceFunction | { readonly name: string; readonly start: ServiceFunction };

/**
 * Runs until done or until `signal` is aborted, which happens when the last outcome has been delivered. What it throws
 * is reported as `serviceError`, unless it is the signal's reason or an AbortError; the runner goes on.
 */
export type ServiceFunction = (context: { readonly signal: AbortSignal }) => void | Promise<void>;

/** Called once, after the services have ended, and awaited. */
export type ShutdownHandler = () => void | Promise<void>;

interface ServiceListener {
  onServiceError(service: string, error: unknown): void;
  onServiceEnded(service: string): void;
}

/** Services have this long to end, also when nothing is left of the grace period. */
const LAST_MS = 1000;

export class Services {
  readonly #controller = new AbortController();
  readonly #listener: ServiceListener;
  readonly #running = new Map<number, { readonly name: string; readonly ended: Promise<void> }>();

  constructor(listener: ServiceListener) {
    this.#listener = listener;
  }

  start(services: readonly BackgroundService[]): void {
    services.forEach((service, index) => {
      const start = typeof service === 'function' ? service : service.start.bind(service);
      const name = service.name === '' ? `service-${index + 1}` : service.name;
      const ended = this.#run(name, start).then(() => void this.#running.delete(index));
      this.#running.set(index, { name, ended });
    });
  }

  /** Tells all to stop and waits for them, until the grace period is over. */
  async stop(graceOver: Promise<void>): Promise<void> {
    this.#controller.abort();
    const last = Promise.withResolvers<void>();
    const limit = new TimeLimit(last.resolve);
    limit.start(LAST_MS);
    const allEnded = Promise.all([...this.#running.values()].map(({ ended }) => ended));
    await Promise.race([allEnded, Promise.all([graceOver, last.promise])]);
    limit.stop();
    for (const { name } of this.#running.values()) {
      const error = new Error('it did not end within the grace period; end when its signal is aborted');
      this.#listener.onServiceError(name, error);
    }
  }

  async #run(name: string, start: ServiceFunction): Promise<void> {
    const { signal } = this.#controller;
    try {
      await start({ signal });
      if (!signal.aborted) this.#listener.onServiceEnded(name);
    } catch (error) {
      if (!stoppedAsTold(error, signal)) this.#listener.onServiceError(name, error);
    }
  }
}

/** Runs one after the other, each whatever became of those before. */
export async function runShutdownHandlers(
  handlers: readonly ShutdownHandler[],
  onError: (handler: string, error: unknown) => void,
): Promise<void> {
  for (const [index, handler] of handlers.entries()) {
    try {
      await handler();
    } catch (error) {
      onError(handler.name === '' ? `shutdown-handler-${index + 1}` : handler.name, error);
    }
  }
}
