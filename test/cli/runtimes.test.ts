import { describe, expect, it } from 'vitest';
import { fakeE2e } from '../fakes/e2e-platform.js';
import { cli } from './cli.js';

const names = (runtimes: unknown) => (runtimes as { name: string }[]).map(({ name }) => name);

describe('jobferry runtimes', () => {
  it('lists what a file may name, and of that what runs on a gpu', async () => {
    const all = await cli(['runtimes']);
    expect(all.code).toBe(0);
    expect(all.stdout).toMatch(
      /^python3\.11 +Python 3\.11: template http or flask or fastapi, on cpu, supported until /m,
    );
    const gpu = await cli(['runtimes', '--hardware', 'gpu', '--json']);
    expect(names(gpu.json()['runtimes'])).toEqual(['pytorch2.1.2', 'tensorflow2.19.0', 'custom']);
    expect(gpu.json()['runtimes']).toContainEqual(
      expect.objectContaining({ name: 'custom', version: '', templates: ['http'], hardware: ['cpu', 'gpu'] }),
    );
    expect((await cli(['runtimes', '--hardware', 'tpu'])).code).toBe(2);
  });

  it('asks a provider what it offers, where that says it', async () => {
    await using fake = await fakeE2e();
    const env = { SERVICE_API_ENDPOINT: fake.url };
    const offered = await cli(['runtimes', '--provider', 'e2e-platform', '--json'], { env });
    expect(names(offered.json()['runtimes'])).toEqual(['python3.11']);
    const none = await cli(['runtimes', '--provider', 'e2e-platform', '--hardware', 'gpu'], { env });
    expect([none.code, none.stdout]).toEqual([0, 'no runtime\n']);
    const silent = await cli(['runtimes', '--provider', 'custom-http']);
    expect(silent.code).toBe(2);
    expect(silent.stderr).toContain('custom-http does not say what it offers');
    expect((await cli(['runtimes', '--provider', 'nobody'])).stderr).toContain(
      'There is no provider "nobody"',
    );
  });
});
