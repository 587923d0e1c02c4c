import { describe, expect, it } from 'vitest';
import { cli } from './cli.js';

const commands = [
  'dev',
  'deploy',
  'invoke',
  'health',
  'warm',
  'undeploy',
  'list',
  'logs',
  'run',
  'plan',
  'apply',
  'destroy',
  'import',
  'drift',
  'refresh',
  'output',
  'validate',
  'runtimes',
  'cost',
  'doctor',
];

describe('the command line', () => {
  it('shows its commands and the exit codes in the help', async () => {
    for (const args of [[], ['--help']]) {
      const { code, stdout } = await cli(args);
      expect(code).toBe(0);
      for (const command of commands) expect(stdout).toContain(`  ${command} `);
      expect(stdout).toMatch(/Exit codes:/);
    }
  });

  it.each(commands)('shows an example in the help of %s', async (command) => {
    const { code, stdout } = await cli([command, '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain(`jobferry ${command}`);
    expect(stdout).toMatch(/Examples?:/);
    expect(stdout).toContain('--json');
  });

  it.each([
    [['nonsense'], /unknown command 'nonsense'/],
    [['health'], /missing required argument 'id'/],
    [['help', 'nosuch'], /unknown command 'nosuch' \(--help shows how\)/],
    [['keys'], /keys needs one of its commands: create, list, revoke \(--help shows how\)/],
    [['health', '0', '--unknown'], /unknown option '--unknown'/],
    [['dev', '--port', '70000'], /Use an integer from 0 to 65535/],
    [['deploy', 'x.ts', '--memory', 'much'], /Use an integer from 1/],
    [['health', '0', '--url', 'no url'], /must be an absolute URL/],
  ])('answers %j with exit code 2, on stderr and as JSON', async (args, message) => {
    const { code, stderr, json } = await cli([...args, '--json']);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
    expect(json()).toMatchObject({
      ok: false,
      exitCode: 2,
      error: { code: 'CONFIG', message: expect.stringMatching(message) },
    });
  });

  it('prints the version', async () => {
    expect((await cli(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
