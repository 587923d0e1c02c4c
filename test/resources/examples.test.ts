import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { loadModule, packageFiles } from '../../src/packaging/index.js';
import {
  checkSource,
  emptyState,
  plan,
  readCodes,
  readSource,
  resolveDeclarations,
} from '../../src/resources/index.js';

const FOLDER = fileURLToPath(new URL('../../examples/resources', import.meta.url));
const WHEN_WRITTEN = new Date('2026-01-01');

it.each([
  ['jobferry.functions.yaml', ['function.greet']],
  ['e2e.functions.ts', ['secret.db-password', 'function.report-live', 'function.report-staging']],
])('examples/resources/%s has no fault, its code is there, and it can be planned', async (name, keys) => {
  expect(await readdir(FOLDER)).toContain(name);
  const source = await readSource(join(FOLDER, name), loadModule);
  const { declarations, warnings } = checkSource(source, WHEN_WRITTEN);
  expect(warnings).toEqual([]);
  const codes = await readCodes(declarations, dirname(source.path), packageFiles);
  const codeSha256 = new Map([...codes].map(([address, { sha256 }]) => [address, sha256]));
  const inputs = { codeSha256, secretValues: new Map(), secretKey: 'key' };
  const { actions } = plan(emptyState(), resolveDeclarations(declarations, inputs));
  expect(actions.map(({ key, kind }) => [key, kind])).toEqual(keys.map((key) => [key, 'create']));
});
