/** Random histories of declared functions against our own platform, through the executor that everyone uses. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startPlatform } from '../../platform/src/index.js';
import { HttpFaasExecutor } from '../../src/executors/custom-http/index.js';
import { packageFiles } from '../../src/packaging/zip.js';
import {
  type Address,
  apply,
  type Code,
  type Declarations,
  emptyState,
  hasChanges,
  jobIdOf,
  lifecycleProvider,
  plan,
  type ResourceProvider,
  refresh,
  resolveDeclarations,
  type State,
} from '../../src/resources/index.js';
import { seededRandom } from '../../src/testing/seeded-random.js';

const NAMES = ['aaa', 'bbb', 'ccc'];

/** Ends a run: no request and no write after it. */
class Cut extends Error {}

function inputsFor(declarations: Declarations, state: State) {
  const codes = new Map<Address, Code>(
    Object.entries(declarations.functions ?? {}).map(([key, { code_inline: inline = '' }]) => [
      `function.${key}`,
      { sha256: `sha-${inline}`, inline, zip: async () => new Uint8Array(0) },
    ]),
  );
  const codeSha256 = new Map([...codes].map(([address, { sha256 }]) => [address, sha256]));
  const desired = resolveDeclarations(declarations, {
    codeSha256,
    secretValues: new Map(),
    secretKey: state.secret_key,
  });
  return { codes, desired };
}

it('100 histories with cuts and deletes by hand end as the last file says', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'jobferry-histories-'));
  const platform = await startPlatform({
    port: 0,
    dataDir: folder,
    isolation: 'off',
    prestart: { total: 0 },
  });
  const executor = new HttpFaasExecutor({ baseUrl: platform.url });
  const real = lifecycleProvider({
    name: 'custom-http',
    executor,
    pack: (_desired, { inline = '' }) => {
      const script = `#!/bin/sh\ncat > /dev/null; printf '{"result":[%s]}' ${inline}\n`;
      return packageFiles([{ path: 'bootstrap', bytes: script, mode: 0o755 }]);
    },
  });
  let cuts = 0;
  try {
    for (let seed = 1; seed <= 100; seed += 1) {
      const random = seededRandom(seed);
      let saved = emptyState();
      let cutIn = Number.POSITIVE_INFINITY;
      const moment = () => {
        cutIn -= 1;
        if (cutIn <= 0) throw new Cut();
      };
      const provider: ResourceProvider = {
        ...real,
        async create(...args) {
          moment();
          const made = await real.create(...args);
          moment();
          return made;
        },
        async update(...args) {
          moment();
          await real.update(...args);
          moment();
        },
        async delete(...args) {
          moment();
          await real.delete(...args);
          moment();
        },
      };
      const signal = new AbortController().signal;
      const run = async (declarations: Declarations) => {
        const { state } = await refresh(saved, () => provider, signal);
        const inputs = inputsFor(declarations, state);
        return apply(plan(state, inputs.desired), state, {
          ...inputs,
          secretValues: new Map(),
          provider: () => provider,
          save: async (next) => {
            moment();
            saved = next;
          },
          signal,
          waits: { pollFirstMs: 1, pollMostMs: 5, timeoutMs: 10_000 },
        });
      };
      let declarations: Declarations = {};
      for (let step = 0; step < 4; step += 1) {
        const chosen = NAMES.filter(() => random() < 0.6);
        declarations = {
          functions: Object.fromEntries(
            chosen.map((name) => [
              name,
              {
                runtime: random() < 0.5 ? 'node20' : 'node18',
                code_inline: random() < 0.5 ? '1' : '2',
                config: { memory_mb: random() < 0.5 ? 128 : 256 },
              },
            ]),
          ),
        };
        if (random() < 0.3)
          await executor.undeployJob(jobIdOf({ name: 'aaa', namespace: undefined, job_id: undefined }));
        cutIn = random() < 0.6 ? 1 + Math.floor(random() * 10) : Number.POSITIVE_INFINITY;
        const { failed } = await run(declarations);
        cuts += failed.some(({ error }) => error instanceof Cut) ? 1 : 0;
      }
      cutIn = Number.POSITIVE_INFINITY;
      const { failed, state } = await run(declarations);
      expect(failed, `seed ${seed}`).toEqual([]);
      const { state: seen } = await refresh(state, () => provider, signal);
      expect(hasChanges(plan(seen, inputsFor(declarations, seen).desired)), `seed ${seed}`).toBe(false);
      expect(await executor.listDeployments(), `seed ${seed}`).toHaveLength(
        Object.keys(declarations.functions ?? {}).length,
      );
      await run({});
      expect(await executor.listDeployments(), `seed ${seed}: all gone`).toEqual([]);
    }
    expect(cuts).toBeGreaterThan(50);
  } finally {
    await executor.close();
    await platform.close();
    await rm(folder, { recursive: true, force: true });
  }
});
