// A thousand failures of every kind, cold and started ahead, in every kind of process this machine has: each must be
// told for what it was.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { PlatformOptions } from '../../platform/src/index.js';
import { openSandbox } from '../../platform/src/runtimes/sandbox.js';
import { FAILURES } from '../../platform/test/support/failures.js';
import { type TestPlatform, testPlatform } from '../../platform/test/support/platform.js';
import { lanes, seeded } from './support.js';

const CALLS = 1000;
const LANES = 3;
const LIMIT_MS = 700;
const SEED = 20_261_121;

const sandbox = await openSandbox();
if (typeof sandbox === 'string') console.log(`Not run: failures in a sandbox, since ${sandbox}.`);
const PLACES: { where: string; options: PlatformOptions }[] = [
  { where: 'a process', options: { isolation: 'off' } },
  { where: 'a process without cgroups', options: { isolation: 'off', processTree: 'environment-scan' } },
  ...(typeof sandbox === 'string'
    ? []
    : [{ where: 'the sandbox', options: { isolation: 'required' } as const }]),
];

describe('a failure', () => {
  const servers: TestPlatform[] = [];

  beforeAll(async () => {
    for (const { options } of PLACES) {
      const server = await testPlatform({
        ...options,
        limits: { maxResultBytes: 100_000 },
        prestart: { total: 4 },
      });
      servers.push(server);
      for (const [index, [, script]] of FAILURES.entries()) {
        expect((await server.deploy(`f${index}`, script, { memory_mb: 192, timeout_secs: 60 })).status).toBe(
          200,
        );
      }
    }
  });
  afterAll(async () => {
    for (const server of servers) await server[Symbol.asyncDispose]();
  });

  it(`is told for what it was, ${CALLS} times of ${CALLS}`, async () => {
    const random = seeded(SEED);
    const told = new Map<string, number>();
    const wrong: object[] = [];
    await lanes(LANES, CALLS, async () => {
      const place = Math.floor(random() * PLACES.length);
      const index = Math.floor(random() * FAILURES.length);
      const [what, , code, details] = FAILURES[index] as (typeof FAILURES)[number];
      const headers: Record<string, string> =
        code === 'TIMEOUT' ? { 'X-Faas-Timeout-Ms': String(LIMIT_MS) } : {};
      const { body } = (await servers[place]?.invoke(`f${index}`, [], headers)) ?? { body: {} };
      const expected = code === 'TIMEOUT' ? {} : details;
      const isRight = body.code === code && body.executed === 'yes' && holds(body.details, expected);
      if (isRight) told.set(code, (told.get(code) ?? 0) + 1);
      else wrong.push({ what, where: PLACES[place]?.where, code: body.code, details: body.details });
    });
    const served = servers.reduce((sum, { platform }) => sum + platform.stats().servedAhead, 0);
    console.log(
      `${CALLS - wrong.length} of ${CALLS} failures told right: ${[...told].map(([code, count]) => `${code} ${count}`).join(', ')}; in ${PLACES.length} kinds of process, ${served} of them started ahead`,
    );
    expect(wrong).toEqual([]);
    expect(served).toBeGreaterThan(0);
  });
});

function holds(details: object, expected: object): boolean {
  try {
    expect(details).toMatchObject(expected);
    return true;
  } catch {
    return false;
  }
}
