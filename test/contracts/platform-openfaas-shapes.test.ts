/** The JSON of our OpenFaaS door against OpenFaaS's OpenAPI file, with the errata that are known of it. */

import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Platform, startPlatform } from '../../platform/src/index.js';
import { contractFile } from './folder.js';

type Json = Record<string, unknown>;

/** JSON Schema has no `nullable` beside `allOf`. */
const document = JSON.parse(
  JSON.stringify(parse(readFileSync(contractFile('openfaas.openapi.yml'), 'utf8'))),
  (_, value: unknown) => {
    if (typeof value !== 'object' || value === null || !('nullable' in value) || 'type' in value)
      return value;
    const { nullable: _nullable, ...rest } = value;
    return { anyOf: [{ type: 'null' }, rest] };
  },
) as Json;
const ajv = new Ajv({ strict: false, validateFormats: false });
ajv.addSchema({ $id: 'doc', ...document });

function faults(schema: string, value: unknown): string[] {
  const validate = ajv.compile({ $ref: `doc#/components/schemas/${schema}` });
  if (validate(value)) return [];
  return (validate.errors ?? []).map(({ instancePath, message }) => `${schema}${instancePath} ${message}`);
}

let platform: Platform;
let dataDir: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'jobferry-shapes-'));
  platform = await startPlatform({ port: 0, dataDir, isolation: 'off' });
});
afterAll(async () => {
  await platform.close();
  await rm(dataDir, { recursive: true, force: true });
});

async function get(path: string): Promise<string> {
  const response = await fetch(`${platform.url}${path}`);
  expect(response.status).toBe(200);
  return response.text();
}

const post = (path: string, body: object): Promise<Response> =>
  fetch(`${platform.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

it('what is asked for is what the file describes, and so is what is answered', async () => {
  const secret = { name: 'token', value: 'x' };
  const deployment = {
    service: 'shaped',
    image: 'functions/alpine:latest',
    envProcess: 'cat',
    envVars: { A: '1' },
    constraints: ['a==b'],
    secrets: ['token'],
    labels: { a: 'b' },
    annotations: { c: 'd' },
    limits: { memory: '64Mi', cpu: '100m' },
    requests: { memory: '32Mi' },
    readOnlyRootFilesystem: true,
  };
  expect(faults('Secret', secret)).toEqual([]);
  expect(faults('FunctionDeployment', deployment)).toEqual([]);
  expect((await post('/system/secrets', secret)).status).toBe(202);
  expect((await post('/system/functions', deployment)).status).toBe(202);
  for (const giveUpAt = Date.now() + 60_000; Date.now() < giveUpAt; ) {
    if ((JSON.parse(await get('/system/function/shaped')) as Json)['availableReplicas'] === 1) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await post('/function/shaped', {});
  expect(faults('GatewayInfo', JSON.parse(await get('/system/info')))).toEqual([]);
  const listed = JSON.parse(await get('/system/functions')) as unknown[];
  expect(listed).toHaveLength(1);
  for (const status of [...listed, JSON.parse(await get('/system/function/shaped'))])
    expect(faults('FunctionStatus', status)).toEqual([]);
  expect(faults('ListNamespaceResponse', JSON.parse(await get('/system/namespaces')))).toEqual([]);
  // The file describes one object where gateways answer a list.
  const secrets = JSON.parse(await get('/system/secrets')) as unknown[];
  expect(secrets).toHaveLength(1);
  for (const one of secrets) expect(faults('SecretDescription', one)).toEqual([]);
  const lines = (await get('/system/logs?name=shaped')).trimEnd().split('\n');
  expect(lines.length).toBeGreaterThan(2);
  for (const line of lines) expect(faults('LogEntry', JSON.parse(line))).toEqual([]);
});
