/** Functions with one and the same code, created at the same moment on our own platform. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startPlatform } from '../../platform/src/index.js';
import { packageFiles } from '../../src/packaging/zip.js';
import {
  type Address,
  apply,
  type Declarations,
  e2ePlatformProvider,
  emptyState,
  plan,
  readCodes,
  resolveDeclarations,
} from '../../src/resources/index.js';

const code_inline = 'module.exports = async (event, context) => context.status(200).succeed("hi");\n';

it('share their code, and each of them runs', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'jobferry-side-'));
  const platform = await startPlatform({ port: 0, dataDir });
  try {
    const provider = e2ePlatformProvider({ endpoint: `${platform.url}/faas/api/v1` });
    for (let round = 0; round < 3; round += 1) {
      const names = Array.from({ length: 6 }, (_, index) => `same-${round}-${index}`);
      const functions = Object.fromEntries(
        names.map((name) => [name, { runtime: 'node20', code_inline: `${code_inline}// ${round}` }]),
      );
      const declarations: Declarations = { provider: 'e2e-platform', functions };
      const codes = await readCodes(declarations, '/', packageFiles);
      const state = emptyState();
      const desired = resolveDeclarations(declarations, {
        codeSha256: new Map([...codes].map(([address, { sha256 }]) => [address, sha256])),
        secretValues: new Map<Address, string>(),
        secretKey: state.secret_key,
      });
      const { failed } = await apply(plan(state, desired), state, {
        desired,
        codes,
        secretValues: new Map(),
        provider: () => provider,
        save: async () => {},
        signal: new AbortController().signal,
        concurrency: 6,
      });
      expect(failed.map(({ error }) => String(error))).toEqual([]);
    }
  } finally {
    await platform.close();
    await rm(dataDir, { recursive: true, force: true });
  }
});
