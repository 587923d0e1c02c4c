/** What only a real server tells: namespaces of secrets by both clients, and a scale that ends, on our own E2E door. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Platform, startPlatform } from '../../platform/src/index.js';
import { E2eOpenFaasExecutor } from '../../src/executors/e2e-openfaas/index.js';
import { packageFiles } from '../../src/packaging/zip.js';
import {
  apply,
  type Declarations,
  type DesiredSecret,
  e2ePlatformProvider,
  emptyState,
  type FunctionConfigDeclaration,
  hasChanges,
  plan,
  type ResourceProvider,
  readCodes,
  refresh,
  resolveDeclarations,
  type State,
} from '../../src/resources/index.js';

let dataDir: string;
let platform: Platform;
let provider: ResourceProvider;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'jobferry-door-'));
  platform = await startPlatform({ port: 0, dataDir });
  provider = e2ePlatformProvider({ endpoint: `${platform.url}/faas/api/v1` });
});
afterAll(async () => {
  await platform.close();
  await rm(dataDir, { recursive: true, force: true });
});
const signal = new AbortController().signal;

it('a secret of another namespace is the one that is seen and deleted', async () => {
  const { secrets } = provider;
  if (secrets === undefined) throw new Error('there is no store of secrets');
  const secret = (namespace: string | undefined): DesiredSecret => ({
    type: 'secret',
    address: 'secret.key',
    provider: 'e2e-platform',
    name: 'key',
    namespace,
    value_hash: '',
  });
  await secrets.put(secret(undefined), 'one', signal);
  expect(await secrets.has('key', 'north', signal)).toBe(false);
  await secrets.put(secret('north'), 'two', signal);
  await secrets.put(secret('north'), 'three', signal);
  await secrets.delete('key', 'north', signal);
  expect(await secrets.has('key', 'north', signal)).toBe(false);
  expect(await secrets.has('key', undefined, signal)).toBe(true);
  await secrets.delete('key', undefined, signal);
});

it('so it is for the executor', async () => {
  const open = (namespace: string) =>
    new E2eOpenFaasExecutor({ profile: 'e2e-platform', url: `${platform.url}/faas/api/v1`, namespace });
  const [north, south] = [open('north'), open('south')];
  await north.server.putSecret('key', 'one');
  await south.server.putSecret('key', 'two');
  await north.server.deleteSecret('key');
  expect([await north.server.listSecrets(), await south.server.listSecrets()]).toEqual([[], ['key']]);
  await north.close();
  await south.close();
});

it('a fixed count and a scale follow one another, and each is in force', async () => {
  let state: State = emptyState();
  const config = async (wanted: FunctionConfigDeclaration) => {
    const code_inline = 'module.exports = async (event, context) => context.status(200).succeed("hi");\n';
    const functions = { scaled: { runtime: 'node20', code_inline, config: wanted } };
    const declarations: Declarations = { provider: 'e2e-platform', functions };
    const codes = await readCodes(declarations, '/', packageFiles);
    const codeSha256 = new Map([...codes].map(([address, { sha256 }]) => [address, sha256]));
    const inputs = { codeSha256, secretValues: new Map(), secretKey: state.secret_key };
    const desired = resolveDeclarations(declarations, inputs);
    const seen = await refresh(state, () => provider, signal);
    const { failed } = await apply(plan(seen.state, desired), seen.state, {
      desired,
      codes,
      secretValues: new Map(),
      provider: () => provider,
      save: async (next) => {
        state = next;
      },
      signal,
    });
    expect(failed).toEqual([]);
    const after = await refresh(state, () => provider, signal);
    expect([after.drifts, hasChanges(plan(after.state, desired))]).toEqual([[], false]);
    const id = state.resources.get('function.scaled')?.attributes.id ?? '';
    return (await provider.read(id, signal))?.config;
  };
  expect(await config({ replicas: 1 })).toMatchObject({ replicas: 1 });
  expect(await config({ min_scale: 1, max_scale: 3 })).toMatchObject({ min_scale: 1, max_scale: 3 });
  expect(await config({ replicas: 2 })).toMatchObject({ replicas: 2, min_scale: 2, max_scale: 2 });
  expect(await config({ replicas: 1 })).toMatchObject({ replicas: 1, min_scale: 1, max_scale: 1 });
  expect(await config({ min_scale: 0 })).toMatchObject({ min_scale: 0, max_scale: 5 });
});
