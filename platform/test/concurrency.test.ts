import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { sh } from './support/bootstraps.js';
import { callFolders, eventually, tempFolder, testPlatform } from './support/platform.js';

/** Says that it runs, then waits to be let go. */
const gated = (folder: string): string =>
  sh(`touch ${folder}/running.$$; while [ ! -e ${folder}/go ]; do sleep 0.02; done; printf '{"result":[1]}'`);

async function runningIn(folder: string): Promise<number> {
  return (await readdir(folder)).filter((name) => name.startsWith('running')).length;
}

describe('concurrency', () => {
  it('never runs more calls of a function than its max_concurrency; the others wait and succeed', async () => {
    const folder = await tempFolder();
    await using server = await testPlatform({ concurrency: 10 });
    await server.deploy('gated', gated(folder), { max_concurrency: 2 });
    const calls = Array.from({ length: 5 }, () => server.invoke('gated'));
    await eventually(async () => (await runningIn(folder)) === 2, 'two calls run');
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(await runningIn(folder)).toBe(2);
    await writeFile(join(folder, 'go'), '');
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  });

  it('answers 429 THROTTLED with Retry-After when the line is full, and works again after', async () => {
    const folder = await tempFolder();
    await using server = await testPlatform({ concurrency: 1, queueSize: 1 });
    await server.deploy('gated', gated(folder));
    const first = server.invoke('gated');
    await eventually(async () => (await runningIn(folder)) === 1, 'one call runs');
    const second = server.invoke('gated');
    const refused = async (): Promise<boolean> => {
      const third = await server.invoke('gated', [], { 'X-Faas-Timeout-Ms': '1' });
      if (third.status !== 429) return false;
      expect(third.body).toMatchObject({ code: 'THROTTLED', success: false, executed: 'no', job_id: 7 });
      expect(third.headers.get('retry-after')).toBe('1');
      return true;
    };
    await eventually(refused, 'a call is refused');
    await writeFile(join(folder, 'go'), '');
    expect([(await first).status, (await second).status]).toEqual([200, 200]);
    expect((await server.invoke('gated')).status).toBe(200);
  });

  it('a waiting call whose time is over fails with TIMEOUT and did not run', async () => {
    const folder = await tempFolder();
    await using server = await testPlatform({ concurrency: 1 });
    await server.deploy('gated', gated(folder));
    const first = server.invoke('gated');
    await eventually(async () => (await runningIn(folder)) === 1, 'one call runs');
    const { status, body } = await server.invoke('gated', [], { 'X-Faas-Timeout-Ms': '50' });
    expect([status, body.code, body.executed]).toEqual([504, 'TIMEOUT', 'no']);
    await writeFile(join(folder, 'go'), '');
    await first;
    expect(await runningIn(folder)).toBe(1);
  });

  it('a call without any time left does not run, and one with more time than a timer can wait does', async () => {
    await using server = await testPlatform();
    await server.deploy('quick', sh(`printf '{"result":[1]}'`));
    expect((await server.invoke('quick', [], { 'X-Faas-Timeout-Ms': '0' })).body).toMatchObject({
      code: 'TIMEOUT',
      executed: 'no',
    });
    expect(
      (await server.invoke('quick', [], { 'X-Faas-Timeout-Ms': '999999999999999' })).body.result,
    ).toEqual([1]);
  });

  it('a waiting call whose caller went away never runs', async () => {
    const folder = await tempFolder();
    await using server = await testPlatform({ concurrency: 1 });
    await server.deploy('gated', gated(folder));
    await server.deploy('second', sh(`touch ${folder}/second; printf '{"result":[2]}'`));
    const first = server.invoke('gated');
    await eventually(async () => (await runningIn(folder)) === 1, 'one call runs');
    const caller = new AbortController();
    const gone = server.invoke('second', [], {}, caller.signal).catch(() => 'gone');
    await new Promise((resolve) => setTimeout(resolve, 200));
    caller.abort();
    expect(await gone).toBe('gone');
    await writeFile(join(folder, 'go'), '');
    await first;
    expect((await server.invoke('gated')).status).toBe(200);
    expect(existsSync(join(folder, 'second'))).toBe(false);
  });

  it('a hundred calls at once all succeed', async () => {
    await using server = await testPlatform();
    await server.deploy('quick', sh(`cat > /dev/null; printf '{"result":[1]}'`), { max_concurrency: 1000 });
    const replies = await Promise.all(Array.from({ length: 100 }, () => server.invoke('quick', [1, 2, 3])));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(100);
    const { body } = await server.request('GET', '/api/functions/quick/health');
    expect(body).toMatchObject({ status: 'healthy', total_invocations: 100 });
    expect(Date.parse(body.last_invocation)).toBeLessThanOrEqual(Date.now());
  });
});

describe('closing the platform', () => {
  it('lets running calls finish, refuses waiting ones, and then no longer listens', async () => {
    const folder = await tempFolder();
    await using server = await testPlatform({ concurrency: 1, graceMs: 20_000 });
    await server.deploy('gated', gated(folder));
    const running = server.invoke('gated');
    await eventually(async () => (await runningIn(folder)) === 1, 'one call runs');
    const waiting = server.invoke('gated');
    await new Promise((resolve) => setTimeout(resolve, 100));
    const closed = server.platform.close();
    expect((await waiting).body).toMatchObject({ code: 'UNAVAILABLE', executed: 'no' });
    await writeFile(join(folder, 'go'), '');
    expect((await running).body.result).toEqual([1]);
    await closed;
    await server.platform.close();
    await expect(server.request('GET', '/api')).rejects.toThrow('fetch failed');
  });

  it('kills what runs longer than the grace and says that it ran', async () => {
    const folder = await tempFolder();
    await using server = await testPlatform({ graceMs: 100 });
    await server.deploy('gated', gated(folder));
    const running = server.invoke('gated');
    await eventually(async () => (await runningIn(folder)) === 1, 'one call runs');
    await server.platform.close();
    expect(await running).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE', executed: 'yes' } });
    expect(await callFolders(server.dataDir)).toEqual([]);
  });

  it('happens by itself when the signal aborts', async () => {
    const stop = new AbortController();
    await using server = await testPlatform({ signal: stop.signal });
    stop.abort();
    await eventually(() => server.log.some((line) => line.event === 'closed'), 'the platform closed');
    await expect(server.request('GET', '/api')).rejects.toThrow('fetch failed');
  });
});
