/** Functions declared as data, applied to our own E2E door: plan, apply, change, drift, delete. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Platform, startPlatform } from '../../platform/src/index.js';
import { packageFiles } from '../../src/packaging/zip.js';
import {
  type Address,
  apply,
  type Declarations,
  e2ePlatformProvider,
  emptyState,
  hasChanges,
  plan,
  type ResourceProvider,
  readCodes,
  refresh,
  resolveDeclarations,
  type State,
} from '../../src/resources/index.js';
import { hasPython } from '../support/python.js';

let dataDir: string;
let platform: Platform;
let provider: ResourceProvider;
let state: State = emptyState();

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'jobferry-resources-'));
  platform = await startPlatform({ port: 0, dataDir });
  provider = e2ePlatformProvider({ endpoint: `${platform.url}/faas/api/v1` });
});
afterAll(async () => {
  await platform.close();
  await rm(dataDir, { recursive: true, force: true });
});

const declared = (code: string, config: object = {}): Declarations => ({
  provider: 'e2e-platform',
  functions: { resize: { runtime: 'python3.11', code_inline: code, config, secrets: ['db-password'] } },
  secrets: { 'db-password': { value_env: 'UNUSED' } },
});
const CODE = 'import os\ndef handle(event, context):\n    return "1" + os.environ["DB_PASSWORD"]\n';

async function planned(declarations: Declarations) {
  const codes = await readCodes(declarations, '/', packageFiles);
  const secretValues = new Map<Address, string>(
    Object.keys(declarations.secrets ?? {}).map((key) => [`secret.${key}`, 'hunter2']),
  );
  const codeSha256 = new Map([...codes].map(([address, { sha256 }]) => [address, sha256]));
  const desired = resolveDeclarations(declarations, {
    codeSha256,
    secretValues,
    secretKey: state.secret_key,
  });
  const signal = new AbortController().signal;
  const refreshed = await refresh(state, () => provider, signal);
  return {
    codes,
    desired,
    secretValues,
    signal,
    state: refreshed.state,
    plan: plan(refreshed.state, desired),
  };
}

async function applied(declarations: Declarations) {
  const { plan: steps, state: known, ...read } = await planned(declarations);
  return apply(steps, known, {
    ...read,
    provider: () => provider,
    save: async (next) => {
      state = next;
    },
    waits: { pollFirstMs: 10, pollMostMs: 100, timeoutMs: 60_000 },
    outputs: { url: 'function.resize.invoke_url' },
  });
}

async function answer(): Promise<string> {
  const response = await fetch(`${platform.url}/faas/function/v1/resize.e2e-faas-local/`);
  return response.text();
}

test.runIf(hasPython)(
  'what is declared becomes true, stays so, changes with the file, and goes with it',
  async () => {
    await applied(declared(CODE));
    expect(await answer()).toBe('1hunter2');
    expect(hasChanges((await planned(declared(CODE))).plan)).toBe(false);
    const changed = declared(CODE.replace('"1"', '"2"'), { memory_mb: 256 });
    expect(hasChanges((await planned(changed)).plan)).toBe(true);
    await applied(changed);
    expect(await answer()).toBe('2hunter2');
    expect(hasChanges((await planned(changed)).plan)).toBe(false);
    // By somebody else's hand.
    const found = await provider.find(
      { name: 'resize', namespace: undefined, job_id: 0 },
      new AbortController().signal,
    );
    await fetch(`${platform.url}/faas/api/v1/functions/${found?.id}/config`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: '{"memory_mb":512}',
    });
    expect(hasChanges((await planned(changed)).plan)).toBe(true);
    await applied({ provider: 'e2e-platform' });
    expect(await provider.read(found?.id ?? '', new AbortController().signal)).toBeUndefined();
    const runtimes = await provider.runtimes?.(new AbortController().signal);
    expect(runtimes?.map(({ name }) => name)).toContain('python3.11');
  },
);
