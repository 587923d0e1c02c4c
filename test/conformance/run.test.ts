/** A run as a whole: real platforms, the command, aborting, cleaning up. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startPlatform } from '@jobferry/platform';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import { type ConformanceReport, runConformance } from '../../src/conformance/index.js';
import { hasPython } from '../support/python.js';
import { modelPlatform } from './platform/index.js';

/** A closed port: nobody listens on 9 (discard) here. */
const NOBODY = 'http://127.0.0.1:9';

function notPassed({ results }: ConformanceReport): string[] {
  return results
    .filter(({ level, outcome }) => level === 'MUST' && outcome !== 'pass' && outcome !== 'not-offered')
    .map((result) => `${result.id}: ${JSON.stringify(result)}`);
}

describe('the suite against real platforms', () => {
  it('finds every MUST kept by the embedded platform', { timeout: 180_000 }, async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'conformance-data-'));
    try {
      await using platform = await startPlatform({ port: 0, dataDir });
      const report = await runConformance({ url: platform.url });
      expect(notPassed(report)).toEqual([]);
      expect(report.leftovers).toEqual([]);
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });

  it.runIf(hasPython)(
    'finds every MUST of 1.0 kept by examples/minimal-platform.py',
    { timeout: 180_000 },
    async () => {
      const file = fileURLToPath(new URL('../../examples/minimal-platform.py', import.meta.url));
      const child = spawn('python3', [file, '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = once(child, 'exit');
      try {
        const report = await runConformance({ url: await urlOf(child) });
        expect(notPassed(report)).toEqual([]);
        expect(report.features).toEqual([]);
        expect(report.must.pass).toBeGreaterThan(200);
      } finally {
        child.kill('SIGTERM');
        await ended;
      }
    },
  );
});

async function urlOf(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('The platform has no stdout.');
  for await (const line of createInterface({ input: child.stdout })) return line.replace('listening on ', '');
  throw new Error('The platform ended before it was ready.');
}

describe('a run', () => {
  it('that is aborted removes its functions, and passes nothing it did not run', async () => {
    await using platform = await modelPlatform();
    const abort = new AbortController();
    const report = await runConformance({
      url: platform.url,
      sections: ['invoke-bytes', 'bootstrap'],
      signal: abort.signal,
      onResult: ({ id }) => {
        if (id === 'bootstrap-05') abort.abort();
      },
    });
    const last = report.results.at(-1);
    expect(last).toMatchObject({
      id: 'bootstrap-24',
      outcome: 'could-not-run',
      reason: 'the run was aborted',
    });
    expect(report.conforms).toBe(false);
    expect(report.leftovers).toEqual([]);
    const list = await fetch(`${platform.url}/api/functions`);
    expect(await list.json()).toEqual({ functions: [] });
  });

  it('says which functions it could not remove', async () => {
    await using platform = await modelPlatform({
      before: ({ method }) =>
        method === 'DELETE'
          ? { status: 500, body: { error: 'x', code: 'INFRASTRUCTURE_ERROR', details: {} } }
          : undefined,
    });
    const report = await runConformance({ url: platform.url, sections: ['invoke-bytes'] });
    expect(report.leftovers).toHaveLength(2);
  });

  it('does not count a case as passed whose function could not be deployed', async () => {
    await using platform = await modelPlatform({
      before: ({ method }) =>
        method === 'PUT'
          ? { status: 500, body: { error: 'x', code: 'INFRASTRUCTURE_ERROR', details: {} } }
          : undefined,
    });
    const report = await runConformance({ url: platform.url, sections: ['invoke-bytes', 'bootstrap'] });
    expect(report.must).toMatchObject({ pass: 0, notOffered: 0 });
    expect(report.must.couldNotRun).toBeGreaterThan(20);
    expect(report.conforms).toBe(false);
  });

  it('without anybody at the URL ends with UNAVAILABLE, with a bad URL or section with CONFIG', async () => {
    await expect(runConformance({ url: NOBODY })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      executed: 'no',
    });
    await expect(runConformance({ url: 'ftp://x' })).rejects.toMatchObject({ code: 'CONFIG' });
    await expect(runConformance({ url: NOBODY, sections: ['nothing'] })).rejects.toMatchObject({
      code: 'CONFIG',
    });
  });
});

describe('jobferry conformance', () => {
  const printed: string[] = [];
  const run = async (...args: string[]): Promise<number> => {
    printed.length = 0;
    vi.spyOn(console, 'log').mockImplementation((line: string) => void printed.push(line));
    vi.spyOn(console, 'error').mockImplementation(() => {});
    return await runCli(['conformance', ...args]);
  };
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('prints the matrix with each case, its level and its sentence, and ends with 0', async () => {
    await using platform = await modelPlatform();
    expect(await run(platform.url, '--section', 'warm', '--section', 'list')).toBe(0);
    const text = printed.join('\n');
    expect(text).toMatch(/pass +MUST +\[WRM-2\] +warm-02 +warming counts as no call/);
    expect(text).toMatch(/MUST +11 passed, 0 failed, 0 could not run, 0 not offered/);
    expect(text).toMatch(/^conforms/m);
  });

  it('ends with 1 when a MUST failed, and says what was expected and seen', async () => {
    await using platform = await modelPlatform({ warm: async () => 3 });
    expect(await run(platform.url, '--section', 'warm')).toBe(1);
    expect(printed.join('\n')).toMatch(/FAIL .*warm-03[\s\S]*expected: 0 or 1\s+saw: 3/);
  });

  it('ends with 7 when nobody answers, with 2 on an unknown section', async () => {
    expect(await run(NOBODY)).toBe(7);
    expect(await run(NOBODY, '--section', 'nothing')).toBe(2);
    expect(await run(NOBODY, '--header', 'no colon')).toBe(2);
  });

  it('--json prints the report as one object; --header sends the key', async () => {
    await using platform = await modelPlatform({ key: 'the-key' });
    const args = [platform.url, '--section', 'auth', '--header', 'Authorization: Bearer the-key', '--json'];
    expect(await run(...args)).toBe(0);
    const report = JSON.parse(printed.at(-1) ?? '') as ConformanceReport & { ok: boolean };
    expect(report).toMatchObject({ ok: true, conforms: true, must: { pass: 7 } });
    expect(printed.join('')).not.toContain('the-key');
  });
});
