/** Work for many hosts, a little at a time: so much at once in all, and less for each host, so that none holds up others. */

export interface HostLinesOptions {
  readonly total: number;
  readonly perHost: number;
}

type Work = () => Promise<void>;

export class HostLines {
  readonly #options: HostLinesOptions;
  readonly #waiting = new Map<string, Work[]>();
  readonly #running = new Map<string, Set<Promise<void>>>();
  #total = 0;

  constructor(options: HostLinesOptions) {
    this.#options = options;
  }

  /** @param work never rejects */
  push(host: string, work: Work): void {
    const line = this.#waiting.get(host);
    if (line === undefined) this.#waiting.set(host, [work]);
    else line.push(work);
    this.#pump();
  }

  /** Begins nothing more, and resolves when what runs has ended. */
  async close(): Promise<void> {
    this.#waiting.clear();
    await Promise.all([...this.#running.values()].flatMap((works) => [...works]));
  }

  #pump(): void {
    const { total, perHost } = this.#options;
    for (const [host, line] of this.#waiting) {
      if (this.#total >= total) return;
      if ((this.#running.get(host)?.size ?? 0) >= perHost) continue;
      const work = line.shift();
      // Behind the others, so that the hosts take turns.
      this.#waiting.delete(host);
      if (line.length > 0) this.#waiting.set(host, line);
      if (work !== undefined) this.#begin(host, work);
    }
  }

  #begin(host: string, work: Work): void {
    const running = this.#running.get(host) ?? new Set();
    this.#running.set(host, running);
    this.#total++;
    const ended = work().finally(() => {
      this.#total--;
      running.delete(ended);
      if (running.size === 0) this.#running.delete(host);
      this.#pump();
    });
    running.add(ended);
  }
}
