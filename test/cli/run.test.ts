import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli, ended, folderWith, startCli } from './cli.js';

const config = `
import { setTimeout as wait } from 'node:timers/promises';
import { defineJob, JobRunner } from 'jobferry';
const square = defineJob({ id: 0, name: 'square', handler: (n: number) => n * n });
const fails = defineJob({ id: 1, name: 'fails', handler: () => { throw new RangeError('too far'); } });
const slow = defineJob({ id: 2, name: 'slow', handler: async () => { await wait(300); return 'slow'; } });
export default () => JobRunner.builder().job(square).job(fails).job(slow);
`;

let folder: string;
beforeAll(async () => {
  folder = await folderWith({
    'runner.ts': config,
    'built.ts': `${config.replace(/export default.*/, '')}\nexport default JobRunner.builder().job(square);`,
    'troubles.ts': `${config.replace(/export default.*/, '')}
      export default JobRunner.builder().job(square)
        .backgroundService({ name: 'heartbeat', start: () => Promise.reject(new Error('no heart')) })
        .shutdownHandler(function closeDatabase() { throw new Error('close failed'); });`,
    'empty.ts': 'export default 42;',
    'requests.ndjson': '{"jobName":"square","input":3}\n{"jobId":0,"input":4}\n',
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const run = (stdin: string, ...args: string[]) => cli(['run', ...args], { cwd: folder, stdin });
const outcomes = (stdout: string): Record<string, unknown>[] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('jobferry run', () => {
  it('turns lines of requests into lines of outcomes', async () => {
    const { code, stdout, stderr } = await run(
      '{"jobName":"square","input":7}\n\n{"jobId":0,"input":8}\n',
      'runner.ts',
    );
    expect(code).toBe(0);
    expect(outcomes(stdout)).toMatchObject([
      { jobName: 'square', status: 'ok', value: 49, ranOn: 'local' },
      { jobName: 'square', status: 'ok', value: 64 },
    ]);
    expect(stderr).toBe('2 jobs: 2 ok, 0 not\n');
  });

  it('reads a file and takes a builder as well as a function that makes one', async () => {
    const { code, stdout } = await run('', 'built.ts', '--input', 'requests.ndjson');
    expect(code).toBe(0);
    expect(outcomes(stdout).map((outcome) => outcome['value'])).toEqual([9, 16]);
  });

  it('goes on after a failed job, an unknown job and a line that makes no sense, and exits with 1', async () => {
    const lines = [
      '{"jobName":"fails"}',
      'no json',
      '{"jobName":"unknown"}',
      '[]',
      '{"jobName":"square","input":2}',
    ];
    const { code, stdout } = await run(lines.join('\n'), 'runner.ts');
    expect(code).toBe(1);
    const all = outcomes(stdout);
    expect(all.map((outcome) => outcome['status']).sort()).toEqual([
      'failed',
      'failed',
      'failed',
      'failed',
      'ok',
    ]);
    expect(stdout).toContain('line 2');
    expect(stdout).toContain('line 4');
    expect(stdout).toContain('too far');
  });

  it('ends with a summary as one JSON object when asked', async () => {
    const { json } = await run('{"jobName":"square","input":7}', 'runner.ts', '--json');
    expect(json()).toMatchObject({ ok: true, summary: { accepted: 1, ok: 1, failed: 0 } });
  });

  it('finishes what it began on Ctrl-C, although its input is still open', async () => {
    const child = startCli(['run', 'runner.ts'], { cwd: folder });
    const over = ended(child);
    child.stdin?.write('{"jobName":"square","input":1}\n{"jobName":"slow"}\n');
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    child.kill('SIGINT');
    const { code, stdout } = await over;
    expect(code).toBe(0);
    expect(outcomes(stdout).map((outcome) => outcome['status'])).toEqual(['ok', 'ok']);
  });

  it('ends quietly when its reader has seen enough', async () => {
    const child = startCli(['run', 'runner.ts'], { cwd: folder });
    const over = ended(child);
    child.stdin?.on('error', () => {});
    child.stdout?.once('data', () => child.stdout?.destroy());
    child.stdin?.end('{"jobName":"square","input":1}\n'.repeat(50_000));
    const { code, stderr } = await over;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('says what a config file must export', async () => {
    const { code, stderr } = await run('', 'empty.ts');
    expect(code).toBe(2);
    expect(stderr).toMatch(/empty\.ts must export a runner builder/);
  });

  it('says what fails beside the jobs, and exits with 1', async () => {
    const directory = await run('', 'runner.ts', '--input', folder);
    expect(directory.code).toBe(1);
    expect(directory.stderr).toMatch(/^producer lines: EISDIR[^\n]*\n0 jobs: 0 ok, 0 not\n$/);
    const { code, stdout, stderr } = await run('{"jobName":"square","input":2}', 'troubles.ts');
    expect(code).toBe(1);
    expect(outcomes(stdout)).toMatchObject([{ status: 'ok', value: 4 }]);
    expect(stderr).toMatch(/^service heartbeat: no heart\nshutdown handler closeDatabase: close failed\n/);
  });

  it('refuses an input file that does not exist', async () => {
    const { code, stderr } = await run('', 'runner.ts', '--input', join(folder, 'none.ndjson'));
    expect(code).toBe(2);
    expect(stderr).toMatch(/--input cannot be read/);
  });
});
