import { existsSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { Isolation } from '../src/index.js';
import { node, sh } from './support/bootstraps.js';
import { callsAreGone, eventually, type TestPlatform, tempFolder, testPlatform } from './support/platform.js';

/** What this machine has decides which of the rows below can be proved on it. */
const STRONGEST = await strongestIsolation();
const IS_LINUX = process.platform === 'linux';
const HAS_UNIFIED =
  existsSync('/sys/fs/cgroup/cgroup.procs') || existsSync('/sys/fs/cgroup/unified/cgroup.procs');

async function strongestIsolation(): Promise<Isolation> {
  await using server = await testPlatform();
  return server.platform.isolation;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie nobody has collected yet runs no more.
    return !/^State:\s+Z/m.test(existsSync(`/proc/${pid}/status`) ? readStatus(pid) : '');
  } catch {
    return false;
  }
}

function readStatus(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return 'State:\tZ';
  }
}

async function pidsIn(folder: string, ...names: string[]): Promise<number[]> {
  const pids: number[] = [];
  for (const name of names) {
    await eventually(
      async () => Number(await readFile(join(folder, name), 'utf8').catch(() => 0)) > 0,
      `${name} was written`,
    );
    pids.push(Number(await readFile(join(folder, name), 'utf8')));
  }
  return pids;
}

/** Reports the pids of a hostile family: itself, a child, and a grandchild in a session of its own that ignores signals. */
function family(folder: string, more: string): string {
  return sh(`trap '' TERM INT HUP
echo $$ > ${folder}/root
sleep 300 & echo $! > ${folder}/child
setsid sh -c 'trap "" TERM HUP; echo $$ > ${folder}/hidden; sleep 300 & sleep 300' &
while [ ! -s ${folder}/hidden ]; do sleep 0.02; done
${more}`);
}

interface Mode {
  readonly choice: 'auto' | 'cgroup-v2' | 'environment-scan' | 'process-group';
  readonly processTree: Isolation['processTree'] | undefined;
  readonly possible: boolean;
  /** A process that starts a session of its own leaves a process group. */
  readonly catchesSessions: boolean;
}

const MODES: Mode[] = [
  { choice: 'auto', processTree: undefined, possible: true, catchesSessions: IS_LINUX },
  {
    choice: 'cgroup-v2',
    processTree: 'cgroup',
    possible: HAS_UNIFIED && process.getuid?.() === 0,
    catchesSessions: true,
  },
  { choice: 'environment-scan', processTree: 'environment-scan', possible: IS_LINUX, catchesSessions: true },
  { choice: 'process-group', processTree: 'process-group', possible: true, catchesSessions: false },
];

describe.each(MODES.filter((mode) => mode.possible))(
  'limits of a call under $choice',
  ({ choice, processTree, catchesSessions }) => {
    let server: TestPlatform;
    let folder: string;

    beforeAll(async () => {
      folder = await tempFolder();
      server = await testPlatform({ processTree: choice, limits: { maxResultBytes: 100_000 } });
    });
    afterAll(() => server[Symbol.asyncDispose]());

    it('are reported by GET /api as what is in force', async () => {
      const { body } = await server.request('GET', '/api');
      expect(body.isolation).toEqual(server.platform.isolation);
      expect(body.isolation.mode).toBe('process');
      if (processTree !== undefined) expect(body.isolation.processTree).toBe(processTree);
    });

    it('kill the whole tree at the time limit, and free the slot', async () => {
      await server.deploy('sleeper', family(folder, 'sleep 300'), { timeout_secs: 1, max_concurrency: 1 });
      const { status, body } = await server.invoke('sleeper');
      expect(status).toBe(504);
      expect(body).toMatchObject({
        code: 'TIMEOUT',
        success: false,
        executed: 'yes',
        details: { limit_ms: 1000 },
      });
      const [root, child, hidden] = await pidsIn(folder, 'root', 'child', 'hidden');
      const doomed = catchesSessions ? [root, child, hidden] : [root, child];
      await eventually(() => doomed.every((pid) => !isRunning(pid ?? 0)), 'nobody of the family is left');
      if (!catchesSessions) process.kill(-(hidden ?? 0), 'SIGKILL');
      await server.deploy(
        'sleeper',
        sh(`printf '{"result":[1]}'`),
        { timeout_secs: 5, max_concurrency: 1 },
        '?replace=true',
      );
      expect((await server.invoke('sleeper')).status).toBe(200);
    });

    it('kill what a finished call leaves behind', async () => {
      await writeFile(join(folder, 'hidden'), '');
      await server.deploy('leaver', family(folder, `printf '{"result":[1]}'`));
      expect((await server.invoke('leaver')).body.result).toEqual([1]);
      const [child, hidden] = await pidsIn(folder, 'child', 'hidden');
      await eventually(() => !isRunning(child ?? 0), 'the child is gone');
      if (catchesSessions) await eventually(() => !isRunning(hidden ?? 0), 'the grandchild is gone');
      else process.kill(-(hidden ?? 0), 'SIGKILL');
    });

    it('kill a call that stopped itself', async () => {
      await server.deploy('stopped', sh('kill -STOP $$'), { timeout_secs: 1 });
      expect((await server.invoke('stopped')).body.code).toBe('TIMEOUT');
    });

    it('take the smaller of timeout_secs and X-Faas-Timeout-Ms', async () => {
      await server.deploy('slow', sh('sleep 300'), { timeout_secs: 100 });
      const { body } = await server.invoke('slow', [], { 'X-Faas-Timeout-Ms': '300' });
      expect(body).toMatchObject({ code: 'TIMEOUT', executed: 'yes' });
      expect(body.details.limit_ms).toBeLessThanOrEqual(300);
    });

    it('stop a call that uses more memory than it may', async () => {
      const hog = node(
        'const kept = []; for (;;) { kept.push(Buffer.alloc(16 << 20, 1)); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20); }',
      );
      await server.deploy('hog', hog, { memory_mb: 192, timeout_secs: 60 });
      const { status, body } = await server.invoke('hog');
      expect(status).toBe(500);
      expect(body).toMatchObject({ code: 'OUT_OF_MEMORY', executed: 'yes', details: { memory_mb: 192 } });
    });

    it('stop a call that prints without end', async () => {
      await server.deploy('loud', sh('exec cat /dev/zero'), { timeout_secs: 60 });
      const { body } = await server.invoke('loud');
      expect(body).toMatchObject({
        code: 'OUTPUT_TOO_LARGE',
        executed: 'yes',
        details: { max_result_bytes: 100_000 },
      });
    });

    it('refuse a result one byte above the limit and accept one at it', async () => {
      await server.deploy('sized', node('reply(new Array(input.args.length ? 100000 : 100001).fill(1));'));
      expect((await server.invoke('sized', [1])).body.result).toHaveLength(100_000);
      expect((await server.invoke('sized')).body.code).toBe('OUTPUT_TOO_LARGE');
    });

    it('kill the function when the caller goes away', async () => {
      await server.deploy('left', sh(`echo $$ > ${folder}/left; exec sleep 300`));
      const caller = new AbortController();
      const gone = server.invoke('left', [], {}, caller.signal).catch(() => 'gone');
      const [pid] = await pidsIn(folder, 'left');
      caller.abort();
      expect(await gone).toBe('gone');
      await eventually(() => !isRunning(pid ?? 0), 'the function is gone');
    });

    it('leave no folder and no group of a call behind', async () => {
      await callsAreGone(server);
      expect(server.log.filter((line) => line.event === 'process-survived')).toEqual([]);
    });
  },
);

describe.runIf(STRONGEST.processTree === 'cgroup')('a fork bomb, where cgroups are in force', () => {
  it('is held by the task limit and killed at its time limit, and others still run', async () => {
    await using server = await testPlatform({ limits: { maxTasks: 32 } });
    await server.deploy('bomb', sh('f() { f & f & wait; }; f 2>/dev/null; sleep 300'), { timeout_secs: 1 });
    await server.deploy('good', sh(`printf '{"result":[1]}'`));
    const bomb = server.invoke('bomb');
    expect((await server.invoke('good')).status).toBe(200);
    expect(['TIMEOUT', 'FUNCTION_ERROR']).toContain((await bomb).body.code);
    expect(server.log.filter((line) => line.event === 'process-survived')).toEqual([]);
  });
});
