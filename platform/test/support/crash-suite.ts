/** What must hold after any number of crashes; the normal suite and the heavy one differ in the numbers only. */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';

import { type CrashPlan, crashAgainAndAgain, functionProcesses } from './crashes.js';
import { eventually, testPlatform } from './platform.js';

export async function expectNothingLost(plan: CrashPlan): Promise<void> {
  const { dataDir, records, lost, changed, runs, deployed } = await crashAgainAndAgain(plan);

  expect(lost).toEqual([]);
  expect(changed).toEqual([]);
  expect(records).toHaveLength(plan.calls);
  // The function always succeeds, so only a call that three crashes met may have ended otherwise.
  const statuses = Object.groupBy(records, ({ status }) => status);
  expect(Object.keys(statuses).filter((status) => status !== 'completed' && status !== 'dead')).toEqual([]);
  expect((statuses['dead'] ?? []).filter(({ attempts }) => attempts !== 3)).toEqual([]);

  const byCall = Object.groupBy(runs, (run) => run.split(' ')[0] ?? '');
  const executions = Object.values(byCall).map((list) => list?.length ?? 0);
  const extra = executions.reduce((sum, count) => sum + count - 1, 0);
  expect(extra).toBeLessThanOrEqual(plan.kills * plan.concurrency);
  // Each run is visible as an attempt of its own, and no attempt ran twice.
  expect(new Set(runs).size).toBe(runs.length);
  for (const record of records) {
    const attempts = (byCall[record.invocation_id] ?? []).map((run) => Number(run.split(' ')[1]));
    expect(Math.max(0, ...attempts)).toBeLessThanOrEqual(record.attempts);
    if (record.status === 'completed') expect(attempts).toContain(record.attempts);
  }

  await eventually(
    async () => (await functionProcesses(dataDir)).length === 0,
    'no function outlives the platform',
  );
  await using server = await testPlatform({ dataDir });
  for (const [id, byte] of deployed) {
    const { status, body } = await server.invoke(id);
    expect([id, status]).toEqual([id, 200]);
    // A later deploy may have been stored without its answer getting through.
    expect(body.result[0] % 3).toBe(byte % 3);
    expect(body.result[0]).toBeGreaterThanOrEqual(byte);
  }
  const { body } = await server.request('GET', '/api/functions');
  const used = new Set(body.functions.map(({ sha256 }: { sha256: string }) => sha256));
  const code = (await readdir(join(dataDir, 'code'))).filter((name) => name !== 'package.json');
  expect(new Set(code)).toEqual(used);
  expect(await readdir(join(dataDir, 'incoming'))).toEqual([]);
  console.log(
    `${plan.kills} kills, ${records.length} calls: ${extra} extra executions, ${statuses['dead']?.length ?? 0} dead`,
  );
}
