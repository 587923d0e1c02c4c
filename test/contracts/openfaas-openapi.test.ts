/**
 * Every request of the executor and every reply of the fake, against OpenFaaS's OpenAPI file. Where that file is known
 * to be wrong, the gateway's source and recordings win; each such place is in `ERRATA`.
 */
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { afterEach, describe, expect, it, test } from 'vitest';
import { parse } from 'yaml';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { contractJobs } from '../../src/testing/contract-jobs.js';
import { executorContract } from '../../src/testing/executor-contract.js';
import { callOf, failureOf, gatewayBench, otherArtifact } from '../e2e-openfaas/setup.js';
import type { GatewayOptions } from '../fakes/openfaas-gateway.js';
import type { FakeReply, FakeRequest } from '../fakes/openfaas-server.js';
import { contractFile } from './folder.js';

type Json = Record<string, unknown>;

const document = parse(readFileSync(contractFile('openfaas.openapi.yml'), 'utf8')) as Json;
const paths = document['paths'] as Record<string, Record<string, Json>>;

/** Path and method -> statuses that gateways answer with, and the file does not name. */
const STATUSES: Readonly<Record<string, readonly number[]>> = {
  'PUT /system/functions': [202],
  'POST /system/functions': [500],
  'DELETE /system/functions': [202],
  'POST /system/secrets': [202, 409],
  'PUT /system/secrets': [202],
  'DELETE /system/secrets': [202],
};
/** Errata of shapes: a list that is described as one object, fields and parameters that the file left out. */
const ERRATA = {
  listedAsObject: new Set(['GET /system/secrets']),
  extraFields: new Map([['DELETE /system/functions', ['namespace']]]),
  extraQuery: new Set(['namespace']),
};

const ajv = new Ajv({ strict: false, validateFormats: false });
// OpenAPI 3.0 says `nullable` beside `allOf`, where JSON Schema knows no such word; nobody here sends null.
const plain = JSON.stringify(document, (key, value) => (key === 'nullable' ? undefined : value));
ajv.addSchema({ $id: 'doc', ...(JSON.parse(plain) as Json) });

function check(pointer: readonly string[], value: unknown, what: string): string[] {
  let node: unknown = document;
  for (const step of pointer) node = (node as Json | undefined)?.[step];
  if (node === undefined) return [];
  const steps = pointer.map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1')));
  const validate = ajv.compile({ $ref: `doc#/${steps.join('/')}` });
  if (validate(value)) return [];
  return (validate.errors ?? []).map(({ instancePath, message }) => `${what}${instancePath}: ${message}`);
}

function faultsOf({ method, url, body, bytes }: FakeRequest, { status, body: reply }: FakeReply): string[] {
  if (!url.pathname.startsWith('/system/')) return [];
  const template = Object.keys(paths).find((one) =>
    new RegExp(`^${one.replace(/\{[^}]+\}/g, '[^/]+')}$`).test(url.pathname),
  );
  const operation = template === undefined ? undefined : paths[template]?.[method.toLowerCase()];
  const where = `${method} ${template ?? url.pathname}`;
  if (template === undefined || operation === undefined) return [`${where}: no operation of the file`];
  const at = ['paths', template, method.toLowerCase()];
  const faults: string[] = [];
  const parameters = (operation['parameters'] ?? []) as Json[];
  const known = new Set(parameters.map((one) => one['name']));
  for (const name of url.searchParams.keys()) {
    if (!known.has(name) && !ERRATA.extraQuery.has(name)) faults.push(`${where}: the query has no ${name}`);
  }
  if (bytes.length > 0) {
    faults.push(
      ...check([...at, 'requestBody', 'content', 'application/json', 'schema'], body, `${where} request`),
    );
    faults.push(...unknownFields(operation, where, body));
  }
  const responses = operation['responses'] as Record<string, Json>;
  if (responses[String(status)] === undefined && !STATUSES[where]?.includes(status) && status !== 401)
    faults.push(`${where}: no answer ${status}`);
  const values = ERRATA.listedAsObject.has(where) && Array.isArray(reply) ? reply : [reply];
  if (typeof reply === 'object' && reply !== null) {
    for (const type of ['application/json', '*/*']) {
      const schema = [...at, 'responses', String(status), 'content', type, 'schema'];
      for (const value of values) faults.push(...check(schema, value, `${where} ${status}`));
    }
  }
  return faults;
}

/** A field that OpenFaaS does not know would be dropped without a word. */
function unknownFields(operation: Json, where: string, body: Json): string[] {
  const content = (operation['requestBody'] as Json | undefined)?.['content'] as Json | undefined;
  const schema = (content?.['application/json'] as Json | undefined)?.['schema'] as Json | undefined;
  const name = String(schema?.['$ref']).split('/').at(-1) ?? '';
  const known = [...fieldsOf(schema), ...(ERRATA.extraFields.get(where) ?? [])];
  return Object.keys(body)
    .filter((field) => !known.includes(field))
    .map((field) => `${where}: ${name} has no ${field}`);
}

function fieldsOf(schema: Json | undefined): string[] {
  const name = String(schema?.['$ref'] ?? '')
    .split('/')
    .at(-1);
  if (name) return fieldsOf(((document['components'] as Json)['schemas'] as Record<string, Json>)[name]);
  const parts = ((schema?.['allOf'] ?? []) as Json[]).flatMap(fieldsOf);
  return [...Object.keys((schema?.['properties'] ?? {}) as Json), ...parts];
}

let faults: string[] = [];
const seen = new Set<string>();
const checked = (options: GatewayOptions = {}) =>
  gatewayBench({
    ...options,
    observe(request, operation, reply) {
      seen.add(operation);
      faults.push(...faultsOf(request, reply));
    },
  });

afterEach(() => {
  expect(faults).toEqual([]);
  faults = [];
});

describe('every request and every reply of the fake fits OpenFaaS’s description', () => {
  executorContract({
    name: 'a gateway',
    test,
    expect,
    create: async () => {
      const { executor, fake, deploy } = await checked({ jobs: contractJobs });
      return { executor, deploy, cleanup: () => fake.close() };
    },
    excluded: { 'payload-limit': 'gateways state none' },
  });

  it('and what is outside it is found', () => {
    const url = new URL('http://x/system/functions');
    const request = { method: 'PUT', target: '', url, headers: {}, bytes: Buffer.from('{}') };
    const wrong = { ...request, body: { service: 7, image: 'i', memory: 1 } };
    expect(faultsOf(wrong, { status: 418 })).toEqual([
      'PUT /system/functions request/service: must be string',
      'PUT /system/functions: FunctionDeployment has no memory',
      'PUT /system/functions: no answer 418',
    ]);
    const shown = { ...request, method: 'GET', body: {}, bytes: Buffer.alloc(0) };
    expect(faultsOf(shown, { status: 200, body: [{ name: 1, image: 'i' }] }).join()).toContain(
      '/0/name: must be string',
    );
    expect(faultsOf({ ...shown, url: new URL('http://x/system/x') }, { status: 200 })).toEqual([
      'GET /system/x: no operation of the file',
    ]);
  });

  it('through a whole life', async () => {
    const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];
    await using it = await checked({ jobs });
    const { server } = it.executor;
    await server.putSecret('s1', 'one');
    await server.putSecret('s1', Uint8Array.of(1, 2));
    await it.deploy(1, {
      env: { A: '1' },
      labels: { l: '1' },
      secrets: { S: 's1' },
      keepWarm: 1,
      maxConcurrency: 4,
      openfaas: {
        cpu: '100m',
        requests: { memoryMb: 64, cpu: '50m' },
        annotations: { a: 'b' },
        constraints: ['x=y'],
        envProcess: 'node index.js',
        readOnlyRootFilesystem: true,
      },
    });
    await it.executor.deployJob(1, otherArtifact);
    await it.executor.invoke(callOf(1), callContext());
    await it.executor.scale(1, 2);
    await it.executor.listDeployments();
    await server.listSecrets();
    await server.listNamespaces();
    await server.info();
    for await (const _ of it.executor.logs(1, { tail: 1, since: new Date(0) }));
    await it.executor.undeployJob(1);
    await server.deleteSecret('s1');
    await failureOf(it.executor.invoke(callOf(1), callContext()));
  });

  it('and all operations of the executor were seen', () => {
    expect([...seen].sort()).toEqual([
      'DELETE functions',
      'DELETE secrets',
      'GET function',
      'GET functions',
      'GET info',
      'GET logs',
      'GET namespaces',
      'GET secrets',
      'POST call',
      'POST functions',
      'POST scale-function',
      'POST secrets',
      'PUT functions',
      'PUT secrets',
    ]);
  });
});
