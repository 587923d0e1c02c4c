/** The figures of docs/providers.md are the limits of the executors. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { NumberRange, ProviderLimits } from '../../src/core/executor.js';
import { LAMBDA_LIMITS } from '../../src/executors/aws-lambda/index.js';
import { AZURE_LIMITS } from '../../src/executors/azure-functions/index.js';
import { HttpFaasExecutor } from '../../src/executors/custom-http/index.js';
import { DIGITALOCEAN_LIMITS } from '../../src/executors/digitalocean/index.js';
import { E2E_LIMITS, OPENFAAS_LIMITS } from '../../src/executors/e2e-openfaas/limits.js';
import { GCP_LIMITS } from '../../src/executors/gcp-functions/index.js';

const text = readFileSync(new URL('../../docs/providers.md', import.meta.url), 'utf8');
const row = (title: string) =>
  text
    .split('\n')
    .find((line) => line.startsWith(`| ${title} |`))
    ?.split('|')
    .slice(2, -1)
    .map((cell) => cell.trim());
const range = (limit: NumberRange | undefined) => {
  if (limit === undefined) return 'not stated';
  const { min, max, step } = limit;
  return `${min} to ${max}${step === undefined ? '' : ` in steps of ${step}`}`;
};

const rooms: ProviderLimits[] = [
  LAMBDA_LIMITS,
  GCP_LIMITS,
  AZURE_LIMITS,
  DIGITALOCEAN_LIMITS,
  E2E_LIMITS,
  OPENFAAS_LIMITS,
  new HttpFaasExecutor({ baseUrl: 'http://127.0.0.1:1' }).limits,
];

it('docs/providers.md says what the limits data say', () => {
  expect(row('input, bytes')).toEqual(
    rooms.map(({ maxPayloadBytes }) => String(maxPayloadBytes ?? 'not stated')),
  );
  expect(row('memory, MB')).toEqual(rooms.map(({ memoryMb }) => range(memoryMb)));
  expect(row('time, seconds')).toEqual(rooms.map(({ timeoutSecs }) => range(timeoutSecs)));
  expect(row('package, bytes')).toEqual(
    rooms.map(({ maxArtifactBytes }) => String(maxArtifactBytes ?? 'not stated')),
  );
  expect(row('as of')).toEqual(rooms.map(({ asOf }) => asOf));
});
