import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { invocationStoreOn } from '../src/queue/invocation-store.js';
import { openDatabase } from '../src/store/database.js';
import { sh } from './support/bootstraps.js';
import { expectNothingLost } from './support/crash-suite.js';
import { ended, invokeAsync } from './support/invocations.js';
import { eventually, tempFolder, testPlatform } from './support/platform.js';

describe('kill -9 of the platform while it runs asynchronous calls', () => {
  it('loses none, ends each once, and runs few again (5 kills, 200 calls)', {
    timeout: 300_000,
  }, async () => {
    await expectNothingLost({ kills: 5, calls: 200, concurrency: 4, seed: 20_261_121 });
  });
});

describe('an invocation that a dead platform left running', () => {
  /** A data folder as a platform leaves it that was killed in the middle of the given attempt. */
  async function leftRunning(attempts: number): Promise<{ dataDir: string; ran: string }> {
    const dataDir = await tempFolder();
    const ran = join(await tempFolder(), 'ran');
    {
      await using server = await testPlatform({ dataDir });
      await server.deploy('job', sh(`cat > /dev/null; touch ${ran}; printf '{"result":[1]}'`));
    }
    const database = openDatabase(join(dataDir, 'platform.sqlite'));
    const store = invocationStoreOn(database);
    store.insert({
      invocationId: 'left',
      functionId: 'job',
      jobId: 1,
      content: 'x',
      idempotencyKey: undefined,
      metadata: {},
      firstAttempt: 1,
      args: new Uint8Array(0),
      deadlineMs: undefined,
      createdAtMs: Date.now(),
    });
    for (let attempt = 1; attempt <= attempts; attempt++) {
      store.claim('left', `lease-${attempt}`, Date.now());
      if (attempt < attempts) database.exec(`UPDATE invocations SET status = 'pending'`);
    }
    database.close();
    return { dataDir, ran };
  }

  it('is run again with one more attempt', async () => {
    const { dataDir } = await leftRunning(2);
    await using server = await testPlatform({ dataDir });
    expect(await ended(server, 'left')).toMatchObject({ status: 'completed', attempts: 3 });
  });

  it('is dead after the third, with the truth about what may have run', async () => {
    const { dataDir, ran } = await leftRunning(3);
    await using server = await testPlatform({ dataDir });
    expect(await ended(server, 'left')).toMatchObject({
      status: 'dead',
      attempts: 3,
      code: 'INFRASTRUCTURE_ERROR',
      executed: 'maybe',
    });
    expect(existsSync(ran)).toBe(false);
  });
});

describe('a platform that closes in peace', () => {
  it('leaves its waiting calls to the next one', async () => {
    const dataDir = await tempFolder();
    const folder = await tempFolder();
    const ids = Array.from({ length: 10 }, (_, n) => `call-${n}`);
    {
      await using server = await testPlatform({ dataDir, concurrency: 1, graceMs: 60_000 });
      await server.deploy(
        'job',
        sh(`cat > /dev/null; touch ${folder}/ran; sleep 0.3; printf '{"result":[1]}'`),
      );
      for (const id of ids) await invokeAsync(server, 'job', [], { 'X-Faas-Call-Id': id });
      await eventually(() => existsSync(join(folder, 'ran')), 'one runs');
    }
    await using next = await testPlatform({ dataDir });
    for (const id of ids) expect(await ended(next, id)).toMatchObject({ status: 'completed', attempts: 1 });
  });
});
