import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it, vi } from 'vitest';

import { FunctionLogs } from '../src/store/function-logs.js';
import { e2eClient, NODE } from './support/e2e.js';
import { testPlatform } from './support/platform.js';

afterEach(() => {
  vi.restoreAllMocks();
});

it('what is still going on in a deleted function opens no log for it again', async () => {
  await using server = await testPlatform();
  const e2e = e2eClient(server);
  const code_inline = `
    module.exports = async () => { await new Promise((resolve) => setTimeout(resolve, 500)); return 'done'; };`;
  await e2e.create({ name: 'slow', code_inline });
  const slow = e2e.ask('slow');
  await sleep(150);
  const opened = (['note', 'ofCall', 'instanceLines'] as const).map((name) =>
    vi.spyOn(FunctionLogs.prototype, name),
  );
  const forgotten = vi.spyOn(FunctionLogs.prototype, 'forget');
  // One is asked something, and the other is being started.
  for (const name of ['slow', 'starting']) {
    if (name === 'starting') await e2e.api('POST', '/functions', { name, runtime: NODE, code_inline });
    expect((await e2e.api('DELETE', `/functions/${name}.e2e-faas-local`)).status).toBeLessThan(300);
  }
  expect((await slow).text).toBe('done');
  await sleep(500);
  expect(forgotten.mock.calls).toHaveLength(2);
  for (const [at, [id]] of forgotten.mock.calls.entries()) {
    const goneAt = forgotten.mock.invocationCallOrder[at] ?? 0;
    for (const { mock } of opened)
      mock.calls.forEach(([of], call) => {
        if (of === id) expect(mock.invocationCallOrder[call]).toBeLessThan(goneAt);
      });
  }
});
