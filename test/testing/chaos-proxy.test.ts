import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ChaosProxy, chaosProxy, type Fault, seededRandom } from '../../src/testing/index.js';

let runs: string[];
let target: { url: string; close: () => Promise<void> };
const open: ChaosProxy[] = [];

beforeEach(async () => {
  runs = [];
  const server = createServer((message, response) => {
    message.on('error', () => {}).resume();
    message.on('end', () => {
      runs.push(message.url ?? '');
      response.end(`hello ${message.url} ${'x'.repeat(100)}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  target = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((proxy) => proxy.close()));
  await target.close();
});

async function proxied(faults: readonly Fault[], seed = 1): Promise<ChaosProxy> {
  const proxy = await chaosProxy({ target: target.url, seed, faults });
  open.push(proxy);
  return proxy;
}

/** The body, or the code of the failure. */
function get(proxy: ChaosProxy, path = '/', waitMs = 10_000): Promise<string> {
  return new Promise((resolve) => {
    const sent = request(`${proxy.url}${path}`, { method: 'POST', agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () => resolve(Buffer.concat(pieces).toString()));
      response.on('error', (error: NodeJS.ErrnoException) => resolve(`cut: ${error.code}`));
    });
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    sent.setTimeout(waitMs, () => {
      resolve('silence');
      sent.destroy();
    });
    sent.end('a body');
  });
}

describe('chaosProxy', () => {
  it('forwards everything when no fault is asked for', async () => {
    const proxy = await proxied([]);
    expect(await get(proxy, '/a')).toMatch(/^hello \/a x+$/);
    expect(proxy.counts.none).toBe(1);
  });

  it('resets before the target sees a byte', async () => {
    const proxy = await proxied([{ kind: 'reset-before-request', share: 1 }]);
    expect(await get(proxy)).toBe('ECONNRESET');
    expect(runs).toEqual([]);
    expect(proxy.counts['reset-before-request']).toBe(1);
  });

  it('resets after the target answered, so that the work was done', async () => {
    const proxy = await proxied([{ kind: 'reset-before-reply', share: 1 }]);
    expect(await get(proxy, '/paid')).toBe('ECONNRESET');
    expect(runs).toEqual(['/paid']);
  });

  it('resets once the request was forwarded', async () => {
    const proxy = await proxied([{ kind: 'reset-after-request', share: 1 }]);
    expect(await get(proxy)).toBe('ECONNRESET');
  });

  it('ends the stream instead of a reply', async () => {
    const proxy = await proxied([{ kind: 'half-close', share: 1 }]);
    expect(await get(proxy, '/half')).toBe('ECONNRESET');
    expect(runs).toEqual(['/half']);
  });

  it('cuts the reply after so many bytes', async () => {
    // Long enough for the status line and headers, too short for the body.
    const proxy = await proxied([{ kind: 'truncate', share: 1, afterBytes: 180 }]);
    expect(await get(proxy)).toBe('cut: ECONNRESET');
  });

  it('lets the reply drip', async () => {
    const proxy = await proxied([{ kind: 'slow-drip', share: 1, bytes: 16, everyMs: 1 }]);
    expect(await get(proxy, '/slow')).toMatch(/^hello \/slow x{100}$/);
  });

  it('delays the request and keeps its bytes in order', async () => {
    const proxy = await proxied([{ kind: 'latency', share: 1, minMs: 20, maxMs: 40 }]);
    const startedMs = performance.now();
    expect(await get(proxy, '/late')).toMatch(/^hello \/late/);
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(19);
  });

  it('swallows a request into a black hole', async () => {
    const proxy = await proxied([{ kind: 'blackhole', share: 1 }]);
    expect(await get(proxy, '/', 100)).toBe('silence');
    expect(runs).toEqual([]);
  });

  it('draws a fault for each exchange of a kept-alive connection', async () => {
    const proxy = await proxied([]);
    const socket = connect(proxy.port, '127.0.0.1');
    for (let index = 0; index < 3; index++) {
      socket.write('GET /k HTTP/1.1\r\nHost: x\r\n\r\n');
      await new Promise((resolve) => socket.once('data', resolve));
    }
    socket.destroy();
    expect(proxy.counts.none).toBe(3);
  });

  it('strikes the same exchanges for the same seed, and others for another', async () => {
    const faults: Fault[] = [
      { kind: 'reset-before-request', share: 0.3 },
      { kind: 'half-close', share: 0.3 },
    ];
    const story = async (seed: number) => {
      const proxy = await proxied(faults, seed);
      const outcomes: string[] = [];
      const before = { ...proxy.counts };
      for (let index = 0; index < 20; index++) {
        await get(proxy);
        const struck = (Object.keys(before) as (keyof typeof before)[]).find(
          (kind) => proxy.counts[kind] !== before[kind],
        );
        outcomes.push(String(struck));
        Object.assign(before, proxy.counts);
      }
      return outcomes.join();
    };
    const first = await story(42);
    expect(await story(42)).toBe(first);
    expect(await story(43)).not.toBe(first);
  });

  it('frees everything on close, twice too, also with a request in flight', async () => {
    const proxy = await proxied([{ kind: 'blackhole', share: 1 }]);
    const outcome = get(proxy);
    await expect.poll(() => proxy.counts.blackhole).toBe(1);
    await proxy.close();
    await proxy.close();
    expect(await outcome).toBe('ECONNRESET');
    expect(await get(proxy)).toBe('ECONNREFUSED');
  });

  it('refuses shares that make no sense', async () => {
    const twice: Fault[] = [
      { kind: 'blackhole', share: 0.6 },
      { kind: 'half-close', share: 0.6 },
    ];
    await expect(chaosProxy({ target: target.url, seed: 1, faults: twice })).rejects.toThrow(RangeError);
  });
});

describe('seededRandom', () => {
  it('repeats itself for a seed and stays within 0 and 1', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const [one, other] = [seededRandom(seed), seededRandom(seed)];
        for (let index = 0; index < 50; index++) {
          const value = one();
          expect(value).toBe(other());
          expect(value >= 0 && value < 1).toBe(true);
        }
      }),
    );
  });

  it('spreads evenly', () => {
    const random = seededRandom(9);
    const buckets = new Array<number>(10).fill(0);
    for (let index = 0; index < 10_000; index++) {
      const bucket = Math.floor(random() * 10);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    }
    for (const share of buckets) expect(Math.abs(share - 1000)).toBeLessThan(150);
  });
});
