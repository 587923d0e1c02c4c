import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { PlatformOptions } from '../src/index.js';
import { openSandbox } from '../src/runtimes/sandbox.js';
import { sh } from './support/bootstraps.js';
import { FAILURES } from './support/failures.js';
import { eventually, type TestPlatform, testPlatform } from './support/platform.js';
import { pidsWith } from './support/processes.js';

const sandbox = await openSandbox();
if (typeof sandbox === 'string') console.log(`Not run: the failures inside a sandbox, since ${sandbox}.`);

interface Place {
  readonly where: string;
  readonly possible: boolean;
  readonly options: PlatformOptions;
}

const PLACES: Place[] = [
  { where: 'a process', possible: true, options: { isolation: 'off' } },
  {
    where: 'a process without cgroups',
    possible: process.platform === 'linux',
    options: { isolation: 'off', processTree: 'environment-scan' },
  },
  { where: 'the sandbox', possible: typeof sandbox !== 'string', options: { isolation: 'required' } },
];

describe.each(PLACES.filter(({ possible }) => possible))('in $where, a function that', ({ options }) => {
  let server: TestPlatform;

  beforeAll(async () => {
    server = await testPlatform({ ...options, limits: { maxResultBytes: 100_000 } });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it.each(FAILURES)(
    '%s is told in the reply, the log and the figures',
    async (what, script, code, details) => {
      const id = what.replaceAll(' ', '-').toLowerCase();
      await server.deploy(id, script, { memory_mb: 192, timeout_secs: code === 'TIMEOUT' ? 1 : 60 });
      const countOf = (): number => server.platform.stats().outcomes[code as 'TIMEOUT'] ?? 0;
      const before = countOf();
      const { status, body } = await server.invoke(id);
      expect(status).toBe(code === 'TIMEOUT' ? 504 : 500);
      expect(body).toMatchObject({ success: false, code, executed: 'yes', details });
      expect(
        server.log.filter((line) => line['functionId'] === id && line.event === 'call-failed'),
      ).toMatchObject([{ level: 'warn', code }]);
      expect(countOf()).toBe(before + 1);
      await eventually(
        () => pidsWith(`FAAS_FUNCTION_ID=${id}`).length <= 3,
        'only an instance that waits is left',
      );
    },
  );

  it('does well is counted too', async () => {
    await server.deploy('well', sh(`cat > /dev/null; printf '{"result":[1]}'`));
    const before = server.platform.stats().outcomes.OK ?? 0;
    expect((await server.invoke('well')).body).toMatchObject({ success: true, result: [1] });
    expect(server.platform.stats().outcomes.OK).toBe(before + 1);
  });

  it('lost its code could not be started, and did not run', async () => {
    await server.deploy('lost', sh('cat > /dev/null; exit 9'));
    const { body } = await server.request('GET', '/api/functions/lost');
    await rm(join(server.dataDir, 'code', body.sha256), { recursive: true });
    expect((await server.invoke('lost')).body).toMatchObject({ code: 'EXECUTION_ERROR', executed: 'no' });
    expect(server.platform.stats().outcomes.EXECUTION_ERROR).toBe(1);
  });

  it('keeps the platform in order through all of this', () => {
    expect(server.log.filter((line) => line.level === 'error')).toEqual([]);
  });
});
