/** Background services: long-running work beside the jobs, started before them and stopped after them. */

export type BackgroundService = ServiceFunction | { readonly name: string; readonly start: ServiceFunction };

/** Runs until done or until `signal` is aborted. A rejection is reported, and the runner goes on. */
export type ServiceFunction = (context: { readonly signal: AbortSignal }) => void | Promise<void>;

interface ServiceListener {
  onServiceError(service: string, error: unknown): void;
  onServiceEnded(service: string): void;
}

export class Services {
  readonly #controller = new AbortController();
  readonly #running: Promise<void>[] = [];

  start(services: readonly BackgroundService[], listener: ServiceListener): void {
    services.forEach((service, index) => {
      const start = typeof service === 'function' ? service : service.start.bind(service);
      const name = service.name === '' ? `service-${index + 1}` : service.name;
      this.#running.push(this.#run(name, start, listener));
    });
  }

  async #run(name: string, start: ServiceFunction, listener: ServiceListener): Promise<void> {
    try {
      await start({ signal: this.#controller.signal });
      if (!this.#controller.signal.aborted) listener.onServiceEnded(name);
    } catch (error) {
      // Throwing the abort reason is how a service says that it stopped as told.
      if (!this.#controller.signal.aborted || error !== this.#controller.signal.reason) {
        listener.onServiceError(name, error);
      }
    }
  }

  /** Tells all to stop and waits for them, at most `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#controller.abort();
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([Promise.all(this.#running), grace]);
    clearTimeout(timer);
  }
}
