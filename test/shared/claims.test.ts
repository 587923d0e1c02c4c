/** Entries of clouds: claims around any runner. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callContext } from '../../src/core/scope.js';
import { resolveClaims } from '../../src/executors/shared/entry/claims.js';
import type { CallRunner } from '../../src/executors/shared/entry/runner.js';
import { claimCheck } from '../../src/layers/index.js';
import { FolderStore } from '../../src/objects/index.js';
import { callOf, errorOf, invoker } from '../layers/invokers.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-claims-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const echo: CallRunner = async (call) => ({ result: call.args, metadata: call.metadata });

describe('resolveClaims', () => {
  it('hands the job what the claim stands for, and the deadline of the host', async () => {
    const store = new FolderStore(folder);
    const hostDeadlines: unknown[] = [];
    const entry = resolveClaims(
      (call, hostDeadline) => {
        hostDeadlines.push(hostDeadline);
        return echo(call);
      },
      async () => store,
    );
    const inner = invoker(async (call) => ({ ...(await entry(call, 123)), metrics: { totalMs: 1 } }));
    const args = randomBytes(1000);
    const outer = claimCheck({ store, aboveBytes: 10 })(inner);
    const { result } = await outer.invoke(callOf({ args, deadline: Date.now() + 60_000 }), callContext());
    expect(Buffer.from(result).equals(args)).toBe(true);
    expect(hostDeadlines).toEqual([123]);
  });

  it('a store that does not answer until the deadline is TIMEOUT, not executed', async () => {
    const hanging = Object.assign(new FolderStore(folder), {
      put: (_key: string, _body: unknown, { signal }: { signal?: AbortSignal } = {}) =>
        new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
    });
    const outer = claimCheck({ store: hanging, aboveBytes: 1 })(
      invoker(() => Promise.reject(new Error('sent'))),
    );
    const error = await errorOf(
      outer.invoke(callOf({ args: new Uint8Array(2) }), callContext({ timeoutMs: 20 })),
    );
    expect(error).toMatchObject({ code: 'TIMEOUT', executed: 'no' });
  });
});
