/** The figures of docs/providers.md are the limits of the executors. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { NumberRange, ProviderLimits } from '../../src/core/executor.js';
import { LAMBDA_LIMITS } from '../../src/executors/aws-lambda/index.js';
import { HttpFaasExecutor } from '../../src/executors/custom-http/index.js';
import { DIGITALOCEAN_LIMITS } from '../../src/executors/digitalocean/index.js';

const text = readFileSync(new URL('../../docs/providers.md', import.meta.url), 'utf8');
const row = (title: string) =>
  text
    .split('\n')
    .find((line) => line.startsWith(`| ${title} |`))
    ?.split('|')
    .slice(2, 5)
    .map((cell) => cell.trim());
const range = ({ min, max, step }: NumberRange) =>
  `${min} to ${max}${step === undefined ? '' : ` in steps of ${step}`}`;

const rooms: ProviderLimits[] = [
  LAMBDA_LIMITS,
  DIGITALOCEAN_LIMITS,
  new HttpFaasExecutor({ baseUrl: 'http://127.0.0.1:1' }).limits,
];

it('docs/providers.md says what the limits data say', () => {
  expect(row('input, bytes')?.slice(0, 2)).toEqual(
    rooms.slice(0, 2).map(({ maxPayloadBytes }) => String(maxPayloadBytes)),
  );
  expect(row('memory, MB')).toEqual(rooms.map(({ memoryMb }) => memoryMb && range(memoryMb)));
  expect(row('time, seconds')).toEqual(rooms.map(({ timeoutSecs }) => timeoutSecs && range(timeoutSecs)));
  expect(row('package, bytes')).toEqual(rooms.map(({ maxArtifactBytes }) => String(maxArtifactBytes)));
  expect(row('as of')).toEqual(rooms.map(({ asOf }) => asOf));
});
