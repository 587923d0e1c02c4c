import { getEventListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { LogOverlap } from '../../src/executors/aws-lambda/logs.js';
import { bench, callOf } from './setup.js';

const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];

describe('logs', () => {
  it('come in order, over all pages, once each, and can be cut to the newest', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    for (let turn = 0; turn < 3; turn++) await it.executor.invoke(callOf(1), callContext());
    const all = await Array.fromAsync(it.executor.logs(1));
    expect(all).toHaveLength(9);
    expect(all.map(({ message }) => message.split(' ')[0])).toEqual([
      'START',
      'END',
      'REPORT',
      'START',
      'END',
      'REPORT',
      'START',
      'END',
      'REPORT',
    ]);
    expect(await Array.fromAsync(it.executor.logs(1, { tail: 2 }))).toEqual(all.slice(-2));
    expect(await Array.fromAsync(it.executor.logs(1, { since: new Date(Date.now() + 60_000) }))).toEqual([]);
  });

  it('can be followed: entries that come later arrive, none twice', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    await it.executor.invoke(callOf(1), callContext());
    const follower = new AbortController();
    const seen: string[] = [];
    for await (const { message } of it.executor.logs(1, { follow: true, signal: follower.signal })) {
      seen.push(message);
      if (seen.length === 3) await it.executor.invoke(callOf(1), callContext());
      if (seen.length === 6) follower.abort();
    }
    expect(new Set(seen).size).toBe(6);
  });

  /** A fake whose function wrote a line at each of these ages. */
  async function written(agesMs: readonly number[]) {
    const it = await bench({ jobs });
    await it.deploy(1);
    const { log } = it.fake.functions.get('jobferry-job-1');
    agesMs.forEach((ageMs, n) => {
      log.push({ id: `id-${n}`, timestamp: Date.now() - ageMs, message: `line ${n}\n` });
    });
    const asked = () => it.fake.operations().filter((name) => name === 'FilterLogEvents').length;
    return { ...it, log, asked };
  }
  const HOUR_MS = 3_600_000;

  it('show their first line after the first page', async () => {
    await using it = await written(Array(100).fill(0));
    const log = it.executor.logs(1);
    expect((await log.next()).value?.message).toBe('line 0');
    expect(it.asked()).toBe(1);
    await log.return(undefined);
  });

  it('are read backwards for their newest lines: what is old is not asked for', async () => {
    const ages = [...Array(500).fill(900 * HOUR_MS), 5 * HOUR_MS, HOUR_MS / 2, 1000, 0];
    await using it = await written(ages);
    const tail = async (count: number) =>
      (await Array.fromAsync(it.executor.logs(1, { tail: count }))).map(({ message }) => message);
    expect(await tail(4)).toEqual(['line 500', 'line 501', 'line 502', 'line 503']);
    expect(it.asked()).toBeLessThan(6);
    expect(await tail(0)).toEqual([]);
    expect(await tail(1000)).toHaveLength(504);
  });

  it('of the newest lines can be followed, without the lines that were left out', async () => {
    await using it = await written([70_000, 40_000, 3000, 2000, 1000]);
    const follower = new AbortController();
    const seen: string[] = [];
    const options = { tail: 2, follow: true, signal: follower.signal };
    for await (const { message } of it.executor.logs(1, options)) {
      seen.push(message);
      if (seen.length === 2) it.log.push({ id: 'new', timestamp: Date.now(), message: 'new' });
      if (seen.length === 3) follower.abort();
    }
    expect(seen).toEqual(['line 3', 'line 4', 'new']);
  });

  it('leave nothing on the signal of a follower, however long it follows', async () => {
    await using it = await written([0]);
    const follower = new AbortController();
    const following = Array.fromAsync(it.executor.logs(1, { follow: true, signal: follower.signal }));
    await vi.waitUntil(() => it.asked() > 20);
    expect(getEventListeners(follower.signal, 'abort').length).toBeLessThanOrEqual(2);
    follower.abort();
    expect(await following).toHaveLength(1);
    expect(getEventListeners(follower.signal, 'abort')).toEqual([]);
  });

  it('are remembered for as long as entries may come late, and no longer', () => {
    const overlap = new LogOverlap();
    const page = (fromMs: number) =>
      Array.from({ length: 100 }, (_, n) => ({ eventId: `${fromMs}-${n}`, timestamp: fromMs }));
    for (let timeMs = 0; timeMs < 10 * HOUR_MS; timeMs += 10_000) overlap.take(page(timeMs));
    expect(overlap.size).toBeLessThanOrEqual(400);
    const newestMs = 10 * HOUR_MS - 10_000;
    expect(overlap.take(page(newestMs))).toEqual([]);
    expect(overlap.take([{ eventId: 'late', timestamp: newestMs - 20_000 }])).toHaveLength(1);
  });

  it('end when their follower gives up while credentials are awaited', async () => {
    const credentials = () => new Promise<never>(() => {});
    await using it = await bench({ jobs }, { credentials });
    const options = { follow: true, signal: AbortSignal.timeout(50) };
    expect(await Array.fromAsync(it.executor.logs(1, options))).toEqual([]);
  });

  it('of a function that never ran are empty', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    expect(await Array.fromAsync(it.executor.logs(1))).toEqual([]);
  });
});
