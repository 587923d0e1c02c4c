import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { HostLines } from '../src/queue/host-lines.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Work that ends when the test says so, and what of it has begun. */
class Site {
  readonly begun: string[] = [];
  readonly #open: { host: string; end: () => void }[] = [];

  readonly work = (host: string) => async (): Promise<void> => {
    this.begun.push(host);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#open.push({ host, end: resolve });
    await promise;
  };

  runningFor(host: string): number {
    return this.#open.filter((one) => one.host === host).length;
  }

  get running(): number {
    return this.#open.length;
  }

  endOne(at: number): void {
    const [one] = this.#open.splice(at % Math.max(1, this.#open.length), 1);
    one?.end();
  }
}

describe('work for many hosts', () => {
  it('keeps to its limits, loses nothing and leaves nobody idle, in any order of events', async () => {
    const hosts = ['a', 'b', 'c'];
    const steps = fc.array(fc.oneof(fc.constantFrom(...hosts), fc.nat({ max: 9 })), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const lines = new HostLines({ total: 4, perHost: 2 });
        const site = new Site();
        const pushed = new Map(hosts.map((host) => [host, 0]));
        for (const step of all) {
          if (typeof step === 'number') site.endOne(step);
          else {
            pushed.set(step, (pushed.get(step) ?? 0) + 1);
            lines.push(step, site.work(step));
          }
          await turn();
          expect(site.running).toBeLessThanOrEqual(4);
          for (const host of hosts) {
            expect(site.runningFor(host)).toBeLessThanOrEqual(2);
            const waiting = (pushed.get(host) ?? 0) - site.begun.filter((one) => one === host).length;
            if (waiting > 0) expect(site.running === 4 || site.runningFor(host) === 2).toBe(true);
          }
        }
        while (site.running > 0) {
          site.endOne(0);
          await turn();
        }
        expect(site.begun).toHaveLength([...pushed.values()].reduce((sum, count) => sum + count, 0));
      }),
      { numRuns: 100 },
    );
  });

  it('close begins nothing more and waits for what runs', async () => {
    const lines = new HostLines({ total: 1, perHost: 1 });
    const site = new Site();
    for (const host of ['a', 'b']) lines.push(host, site.work(host));
    let isClosed = false;
    const closed = lines.close().then(() => {
      isClosed = true;
    });
    await turn();
    expect(isClosed).toBe(false);
    site.endOne(0);
    await closed;
    expect(site.begun).toEqual(['a']);
  });
});
