import { existsSync, readFileSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { answer, echo, node, sh } from './support/bootstraps.js';
import { callsAreGone, eventually, type TestPlatform, tempFolder, testPlatform } from './support/platform.js';

/** Answers with what tells one process from another, and what it knows of its call. */
const introduce = node(
  'reply([...Buffer.from(JSON.stringify({ pid: process.pid, callId: process.env.FAAS_CALL_ID, home: process.env.HOME, input }))]);',
);

async function waiting(server: TestPlatform, count: number): Promise<void> {
  await eventually(() => server.platform.stats().waiting === count, `${count} instances wait`);
}

/** The processes that run this function's code now. */
async function pidsOf(functionId: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^[0-9]+$/.test(name)) continue;
    const environment = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '');
    if (`\0${environment}`.includes(`\0FAAS_FUNCTION_ID=${functionId}\0`)) found.push(Number(name));
  }
  return found;
}

function introduced(body: { result: number[] }): {
  pid: number;
  callId?: string;
  home: string;
  input: { call_id: string };
} {
  return JSON.parse(Buffer.from(body.result).toString('utf8'));
}

describe('an instance started ahead of need', () => {
  it('serves the second call: cold_start is true for the first and false for it', async () => {
    await using server = await testPlatform();
    await server.deploy('echo', echo);
    expect((await server.invoke('echo', [1])).body).toMatchObject({ result: [1], cold_start: true });
    await waiting(server, 1);
    expect((await server.invoke('echo', [2])).body).toMatchObject({ result: [2], cold_start: false });
    await waiting(server, 1);
    expect((await server.invoke('echo', [3])).body).toMatchObject({ result: [3], cold_start: false });
    expect(server.platform.stats()).toMatchObject({ outcomes: { OK: 3 }, servedAhead: 2 });
  });

  it('is a process of its own for each call, with a folder of its own', async () => {
    await using server = await testPlatform();
    await server.deploy('introduce', introduce);
    const seen = [];
    for (let call = 0; call < 3; call++) {
      seen.push(introduced((await server.invoke('introduce')).body));
      await waiting(server, 1);
    }
    expect(new Set(seen.map(({ pid }) => pid)).size).toBe(3);
    expect(new Set(seen.map(({ home }) => home)).size).toBe(3);
  });

  it('knows its call from stdin alone: FAAS_CALL_ID is set for a cold start only', async () => {
    await using server = await testPlatform();
    await server.deploy('introduce', introduce);
    const cold = introduced((await server.invoke('introduce', [], { 'X-Faas-Call-Id': 'first' })).body);
    expect(cold).toMatchObject({ callId: 'first', input: { call_id: 'first' } });
    await waiting(server, 1);
    const ahead = introduced((await server.invoke('introduce', [], { 'X-Faas-Call-Id': 'second' })).body);
    expect(ahead.callId).toBeUndefined();
    expect(ahead.input.call_id).toBe('second');
  });

  it('has its time limit from the start of the call, however long it waited', async () => {
    await using server = await testPlatform();
    await server.deploy('slow', node('setTimeout(() => reply([1]), 700);'), { timeout_secs: 1 });
    expect((await server.request('POST', '/api/functions/slow/warm')).body.instances_warmed).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 600));
    const { body } = await server.invoke('slow');
    expect(body).toMatchObject({ success: true, cold_start: false });
    expect(body.execution_ms).toBeLessThan(1000);
  });

  it.each([
    ['fails', node('process.exit(3);'), 'FUNCTION_ERROR'],
    ['runs out of time', node('setInterval(() => {}, 1000);'), 'TIMEOUT'],
    ['prints no JSON', node('fs.writeSync(1, "x");'), 'BAD_OUTPUT'],
  ])('that %s is judged as a cold one, and replaced', async (_, script, code) => {
    await using server = await testPlatform();
    await server.deploy('bad', script, { timeout_secs: 1 });
    await server.request('POST', '/api/functions/bad/warm');
    expect((await server.invoke('bad')).body).toMatchObject({ code, executed: 'yes' });
    expect((await server.invoke('bad')).body).toMatchObject({ code, executed: 'yes' });
  });
});

describe('warming a function', () => {
  it('starts what is asked for, tells how many wait, and does not call the function', async () => {
    await using server = await testPlatform({ prestart: { perFunction: 3 } });
    await server.deploy('introduce', introduce, { max_concurrency: 2 });
    const { body } = await server.request('POST', '/api/functions/introduce/warm');
    expect(body).toEqual({ function_id: 'introduce', status: 'warm', instances_warmed: 2 });
    expect((await server.request('POST', '/api/functions/introduce/warm')).body.instances_warmed).toBe(2);
    expect((await server.request('GET', '/api/functions/introduce/health')).body.total_invocations).toBe(0);
    const calls = await Promise.all([server.invoke('introduce'), server.invoke('introduce')]);
    expect(calls.map(({ body }) => body.cold_start)).toEqual([false, false]);
  });

  it('answers 0 where nothing is kept waiting', async () => {
    await using server = await testPlatform({ prestart: { total: 0 } });
    await server.deploy('echo', echo);
    expect((await server.request('POST', '/api/functions/echo/warm')).body.instances_warmed).toBe(0);
    expect((await server.invoke('echo')).body.cold_start).toBe(true);
    expect((await server.invoke('echo')).body.cold_start).toBe(true);
  });

  it('answers 0 for a bootstrap that does not wait for its input, and does not start it again', async () => {
    const folder = await tempFolder();
    await using server = await testPlatform();
    await server.deploy('eager', sh(`echo x >> ${folder}/runs; printf '{"result":[1]}'`));
    for (let time = 0; time < 3; time++)
      expect((await server.request('POST', '/api/functions/eager/warm')).body.instances_warmed).toBe(0);
    expect(readFileSync(join(folder, 'runs'), 'utf8')).toBe('x\n');
    expect((await server.invoke('eager')).body).toMatchObject({ result: [1], cold_start: true });
  });
});

describe('what waits', () => {
  it('is not started for a function whose call did not read its input', async () => {
    const folder = await tempFolder();
    await using server = await testPlatform();
    await server.deploy('blind', sh(`echo x >> ${folder}/runs; printf '{"result":[1]}'`));
    for (let call = 1; call <= 3; call++) {
      expect((await server.invoke('blind', [1, 2, 3])).body.cold_start).toBe(true);
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(readFileSync(join(folder, 'runs'), 'utf8')).toBe('x\n'.repeat(call));
    }
  });

  it('stays within the total; the function used longest ago gives way', async () => {
    await using server = await testPlatform({ prestart: { total: 2 } });
    for (const id of ['a', 'b', 'c']) {
      await server.deploy(id, echo);
      expect((await server.request('POST', `/api/functions/${id}/warm`)).body.instances_warmed).toBe(1);
    }
    expect(server.platform.stats().waiting).toBe(2);
    const calls = [await server.invoke('c'), await server.invoke('b'), await server.invoke('a')];
    expect(calls.map(({ body }) => body.cold_start)).toEqual([false, false, true]);
  });

  it('is replaced when it is killed, and never handed out', async () => {
    await using server = await testPlatform();
    await server.deploy('victim', introduce);
    await server.request('POST', '/api/functions/victim/warm');
    const killed = await pidsOf('victim');
    expect(killed).toHaveLength(1);
    for (const pid of killed) process.kill(pid, 'SIGKILL');
    await eventually(async () => {
      const pids = await pidsOf('victim');
      return pids.length === 1 && !killed.includes(pids[0] ?? 0);
    }, 'another waits');
    const { body } = await server.invoke('victim');
    expect(body).toMatchObject({ success: true, cold_start: false });
    expect(killed).not.toContain(introduced(body).pid);
  });

  it('that died a moment before a call does not fail the call', async () => {
    await using server = await testPlatform();
    await server.deploy('victim', introduce);
    for (let round = 0; round < 10; round++) {
      await server.request('POST', '/api/functions/victim/warm');
      const pids = await pidsOf('victim');
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      // Busy, so that the platform hears of the end and of the call in one go.
      while (pids.some((pid) => existsSync(`/proc/${pid}`)));
      const { body } = await server.invoke('victim');
      expect(body).toMatchObject({ success: true });
      expect(pids).not.toContain(introduced(body).pid);
    }
  });

  it('is dropped when the function is replaced, and the new version serves the next call', async () => {
    await using server = await testPlatform();
    await server.deploy('versioned', answer(1));
    await server.request('POST', '/api/functions/versioned/warm');
    const [old = 0] = await pidsOf('versioned');
    await server.deploy('versioned', answer(2), {}, '?replace=true');
    expect(existsSync(`/proc/${old}`)).toBe(false);
    expect((await server.invoke('versioned')).body).toMatchObject({ result: [2], cold_start: true });
  });

  it('is dropped when only the configuration is replaced', async () => {
    await using server = await testPlatform();
    await server.deploy('configured', introduce, { memory_mb: 128 });
    await server.request('POST', '/api/functions/configured/warm');
    await server.deploy('configured', introduce, { memory_mb: 256 }, '?replace=true');
    expect(server.platform.stats().waiting).toBe(0);
  });

  it('is gone when the function is deleted, with its folder and its code', async () => {
    await using server = await testPlatform();
    const { body } = await server.deploy('deleted', answer(1));
    await server.request('POST', '/api/functions/deleted/warm');
    await server.request('DELETE', '/api/functions/deleted');
    expect(await pidsOf('deleted')).toEqual([]);
    await callsAreGone(server);
    expect(existsSync(join(server.dataDir, 'code', body.sha256))).toBe(false);
  });

  it('is not started for a version that was replaced while its call ran', async () => {
    const folder = await tempFolder();
    await using server = await testPlatform();
    const slow = `cat > /dev/null; touch ${folder}/runs; while [ ! -e ${folder}/go ]; do sleep 0.02; done; printf '{"result":[1]}'`;
    await server.deploy('versioned', sh(slow));
    const call = server.invoke('versioned');
    await eventually(() => existsSync(join(folder, 'runs')), 'the call runs');
    await server.deploy('versioned', answer(2), {}, '?replace=true');
    await writeFile(join(folder, 'go'), '');
    expect((await call).body.result).toEqual([1]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(server.platform.stats().waiting).toBe(0);
  });

  it('is dropped when the function is not used for the idle time', async () => {
    await using server = await testPlatform({ prestart: { idleSecs: 0.3 } });
    await server.deploy('idle', answer(1));
    expect((await server.request('POST', '/api/functions/idle/warm')).body.instances_warmed).toBe(1);
    await waiting(server, 0);
    await eventually(async () => (await pidsOf('idle')).length === 0, 'its process is gone');
  });

  it('is gone when the platform has closed', async () => {
    const server = await testPlatform();
    await server.deploy('closing', answer(1));
    await server.request('POST', '/api/functions/closing/warm');
    expect(await pidsOf('closing')).not.toEqual([]);
    await server.platform.close();
    expect(await pidsOf('closing')).toEqual([]);
  });
});
