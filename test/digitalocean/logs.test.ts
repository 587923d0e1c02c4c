/** Logs: as few requests as the wish needs, and no call is missed, however long it took. */
import { getEventListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { LogOptions } from '../../src/core/executor.js';
import type { FakeDigitalOcean } from '../fakes/digitalocean.js';
import { bench } from './setup.js';

const NAME = 'jobferry-job-1';
const STARTED_MS = Date.now() - 3_600_000;

/** An activation that has ended, with a line a second from its start on. */
function record(fake: FakeDigitalOcean, id: string, startMs: number, lines = 1): void {
  const start = STARTED_MS + startMs;
  fake.activations.set(id, {
    activationId: id,
    name: NAME,
    start,
    logLines: Array.from(
      { length: lines },
      (_, n) => `${new Date(start + n * 1000).toISOString()} stdout: ${id}.${n}`,
    ),
  });
}

type Bench = Awaited<ReturnType<typeof bench>>;

async function linesOf({ executor }: Bench, options: LogOptions = {}): Promise<string[]> {
  const lines: string[] = [];
  for await (const { message } of executor.logs(1, options)) lines.push(message);
  return lines;
}

const logReads = ({ fake }: Bench) => fake.operations.filter((one) => one === 'GET activation logs').length;

describe('the tail', () => {
  it.each([
    [0, [], 0],
    [1, ['a-299.1'], 1],
    [3, ['a-298.1', 'a-299.0', 'a-299.1'], 2],
  ])('of %d reads no more activations than it needs', async (tail, lines, reads) => {
    await using it = await bench();
    await it.deploy(1);
    for (let n = 0; n < 300; n += 1) record(it.fake, `a-${n}`, n * 1000, 2);
    expect(await linesOf(it, { tail })).toEqual(lines);
    expect(logReads(it)).toBe(reads);
  });

  it('is of the lines that name the call, when a call is named', async () => {
    await using it = await bench();
    await it.deploy(1);
    for (let n = 0; n < 10; n += 1) record(it.fake, `a-${n}`, n * 1000, 2);
    expect(await linesOf(it, { tail: 1, callId: 'a-3' })).toEqual(['a-3.1']);
  });
});

describe('logs', () => {
  it('come oldest first, of all pages', async () => {
    await using it = await bench();
    await it.deploy(1);
    for (let n = 0; n < 450; n += 1) record(it.fake, `a-${n}`, n * 1000);
    expect(await linesOf(it)).toEqual(Array.from({ length: 450 }, (_, n) => `a-${n}.0`));
  });

  it('since a time hold the late lines of a call that began before it', async () => {
    await using it = await bench();
    await it.deploy(1, { timeoutSecs: 60 });
    record(it.fake, 'long', 0, 20);
    record(it.fake, 'short', 15_000);
    const since = new Date(STARTED_MS + 18_000);
    expect(await linesOf(it, { since })).toEqual(['long.18', 'long.19']);
  });

  it('are asked for again after an outage', async () => {
    await using it = await bench();
    await it.deploy(1);
    record(it.fake, 'a', 0);
    it.fake.fault('GET activations', { status: 503 });
    it.fake.fault('GET activation logs', { reset: 'before' });
    expect(await linesOf(it)).toEqual(['a.0']);
  });
});

describe('who follows', () => {
  it('sees a call that began long before the newest and ended after it', async () => {
    await using it = await bench();
    await it.deploy(1, { timeoutSecs: 300 });
    record(it.fake, 'old', -1_000_000);
    record(it.fake, 'newest', 0);
    const follower = new AbortController();
    const lines: string[] = [];
    for await (const { message } of it.executor.logs(1, { follow: true, signal: follower.signal, tail: 1 })) {
      lines.push(message);
      if (message === 'newest.0') {
        record(it.fake, 'long', -290_000);
        record(it.fake, 'later', 1000);
      }
      if (lines.length === 3) follower.abort();
    }
    expect(lines).toEqual(['newest.0', 'long.0', 'later.0']);
  });

  it('leaves no listener on the signal', async () => {
    await using it = await bench();
    await it.deploy(1);
    record(it.fake, 'a', 0);
    const { signal } = new AbortController();
    for (let n = 0; n < 3; n += 1) await linesOf(it, { signal });
    for await (const _ of it.executor.logs(1, { signal, follow: true })) break;
    await delay(1);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });
});
