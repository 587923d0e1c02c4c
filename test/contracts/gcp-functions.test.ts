/** Every request of Google's client, and every reply of the fake, in JSON form against the published description. */
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { afterEach, describe, expect, it, test } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { contractJobs } from '../../src/testing/contract-jobs.js';
import { executorContract } from '../../src/testing/executor-contract.js';
import type { FakeOptions, ObservedRpc } from '../fakes/gcp-functions.js';
import { artifact, bench, callOf, failureOf, otherArtifact } from '../gcp-functions/setup.js';
import { contractFile } from './folder.js';

type Json = Record<string, unknown>;

const document = JSON.parse(readFileSync(contractFile('gcp/cloudfunctions.v2.openapi.json'), 'utf8')) as {
  paths: Record<string, Record<string, Json>>;
  components: { schemas: Record<string, Json> };
};

/** A method of the gRPC service -> its REST form, as `google.api.http` in the protos has it. */
const REST: Record<string, { verb: string; path: (request: Json) => string; body?: string; reply: string }> =
  {
    GetFunction: { verb: 'get', path: ({ name }) => String(name), reply: 'Function' },
    ListFunctions: {
      verb: 'get',
      path: ({ parent }) => `${String(parent)}/functions`,
      reply: 'ListFunctionsResponse',
    },
    GenerateUploadUrl: {
      verb: 'post',
      path: ({ parent }) => `${String(parent)}/functions:generateUploadUrl`,
      body: 'GenerateUploadUrlRequest',
      reply: 'GenerateUploadUrlResponse',
    },
    CreateFunction: {
      verb: 'post',
      path: ({ parent }) => `${String(parent)}/functions`,
      body: 'Function',
      reply: 'Operation',
    },
    UpdateFunction: {
      verb: 'patch',
      path: (request) => String((request['function'] as Json)['name']),
      body: 'Function',
      reply: 'Operation',
    },
    DeleteFunction: { verb: 'delete', path: ({ name }) => String(name), reply: 'Operation' },
  };
/** What goes into the path or the query. */
const OUTSIDE_THE_BODY = new Set(['parent', 'name', 'functionId', 'updateMask', 'function']);

const ajv = new Ajv({ strict: false, validateFormats: false });
ajv.addSchema({ $id: 'doc', ...JSON.parse(JSON.stringify(document)) } as object);

/** No field may be there that the description does not have. */
function unknownFields(schemaName: string, value: unknown, at: string): string[] {
  const schema = document.components.schemas[schemaName];
  return fieldsOf(schema ?? {}, value, at);
}

function fieldsOf(schema: Json, value: unknown, at: string): string[] {
  const reference = schema['$ref'];
  if (typeof reference === 'string') return unknownFields(reference.split('/').at(-1) ?? '', value, at);
  if (Array.isArray(value))
    return value.flatMap((one, n) => fieldsOf((schema['items'] ?? {}) as Json, one, `${at}/${n}`));
  const properties = schema['properties'] as Record<string, Json> | undefined;
  if (typeof value !== 'object' || value === null || properties === undefined) return [];
  return Object.entries(value).flatMap(([field, inner]) => {
    const known = properties[field];
    return known === undefined
      ? [`${at}/${field}: no field of the description`]
      : fieldsOf(known, inner, `${at}/${field}`);
  });
}

function valid(schemaName: string, value: unknown, what: string): string[] {
  const validate = ajv.compile({ $ref: `doc#/components/schemas/${schemaName}` });
  const faults = validate(value) ? [] : (validate.errors ?? []);
  return [
    ...faults.map(({ instancePath, message }) => `${what}${instancePath}: ${message}`),
    ...unknownFields(schemaName, value, what),
  ];
}

function faultsOf({ method, request, reply }: ObservedRpc): string[] {
  const rest = REST[method];
  if (rest === undefined) return [`${method}: not one of the methods the executor should use`];
  const path = `/v2/${rest.path(request)}`;
  const template = Object.keys(document.paths).find((one) =>
    new RegExp(`^${one.replace(/\{[^}]+\}/g, '[^/:]+')}$`).test(path),
  );
  const operation = template === undefined ? undefined : document.paths[template]?.[rest.verb];
  if (operation === undefined) return [`${rest.verb} ${path}: no operation of the description`];
  const parameters = (operation['parameters'] ?? []) as Json[];
  const query = new Set(parameters.map(({ name }) => name));
  const sent = Object.keys(request).filter((field) => !(rest.body === 'Function' && field === 'function'));
  const outside = sent
    .filter((field) => OUTSIDE_THE_BODY.has(field) || rest.body === undefined)
    .filter((field) => field !== 'parent' && field !== 'name' && request[field] !== '')
    .filter((field) => !query.has(field))
    .map((field) => `${method}: no query parameter ${field}`);
  const body =
    rest.body === 'Function'
      ? request['function']
      : Object.fromEntries(Object.entries(request).filter(([field]) => !OUTSIDE_THE_BODY.has(field)));
  const inBody = rest.body === undefined ? [] : valid(rest.body, jsonOf(body), `${method} request`);
  const inMask = ((request['updateMask'] as Json | undefined)?.['paths'] ?? []) as string[];
  const fields = document.components.schemas['Function']?.['properties'] as Json;
  const badPaths = inMask
    .filter((one) => !(one.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()) in fields))
    .map((one) => `UpdateFunction: ${one} in the mask is no field`);
  const inReply = reply === undefined ? [] : valid(rest.reply, jsonOf(reply), `${method} reply`);
  return [...outside, ...inBody, ...badPaths, ...inReply];
}

/** The JSON form of a message: times as text, what a response wraps without its bytes. */
function jsonOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(jsonOf);
  if (typeof value !== 'object' || value === null) return value;
  const fields = value as Json;
  if ('type_url' in fields) return {};
  if ('seconds' in fields) return new Date(Number(fields['seconds']) * 1000).toISOString();
  return Object.fromEntries(Object.entries(fields).map(([field, inner]) => [field, jsonOf(inner)]));
}

let faults: string[] = [];
const seen = new Set<string>();
const observe = (exchange: ObservedRpc) => {
  seen.add(exchange.method);
  faults.push(...faultsOf(exchange));
};
const checked = (options: FakeOptions = {}) => bench({ ...options, observe });

afterEach(() => {
  expect(faults).toEqual([]);
  faults = [];
});

describe('every request and every reply of the fake is valid under the published description', () => {
  executorContract({
    name: 'CloudFunctionExecutor',
    test,
    expect,
    create: async () => {
      const { executor, fake, deploy } = await checked({ jobs: contractJobs });
      return { executor, deploy, cleanup: () => fake.close() };
    },
  });

  it('and what is outside it is found', () => {
    const parent = 'projects/p/locations/l';
    const bad = (fn: Json) =>
      faultsOf({
        method: 'CreateFunction',
        request: { parent, functionId: 'f', function: fn },
        reply: undefined,
      });
    expect(bad({ environment: 'GEN_2' })).toEqual([]);
    expect(bad({ environment: 2 }).join()).toContain('must be string');
    expect(bad({ serviceConfig: { availableMemory: 256 } }).join()).toContain('must be string');
    expect(bad({ serviceConfig: { memory: '1' } }).join()).toContain('memory: no field of the description');
    expect(faultsOf({ method: 'CallFunction', request: {}, reply: undefined })).toHaveLength(1);
    const request = { function: { name: `${parent}/functions/f` }, updateMask: { paths: ['nonsense'] } };
    expect(faultsOf({ method: 'UpdateFunction', request, reply: undefined }).join()).toContain('nonsense');
    expect(
      faultsOf({ method: 'GetFunction', request: { name: 'functions/f' }, reply: undefined }).join(),
    ).toContain('no operation');
  });

  it('through a whole life, with everything a function can have', async () => {
    const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];
    await using it = await checked({ jobs });
    await it.executor.deployJob(1, artifact, {
      memoryMb: 256,
      timeoutSecs: 60,
      env: { A: '1' },
      labels: { l: '1' },
      keepWarm: 1,
      maxConcurrency: 4,
      secrets: { S: 's:1' },
      gcp: {
        runtime: 'nodejs24',
        entryPoint: 'main',
        cpu: '1',
        concurrency: 2,
        serviceAccount: 'a@b.iam.gserviceaccount.com',
        buildServiceAccount: 'projects/p/serviceAccounts/a@b.iam.gserviceaccount.com',
        ingress: 'internal-and-gclb',
        vpcConnector: 'projects/p/locations/l/connectors/c',
        vpcEgress: 'all',
        invokers: ['user:a@b.c'],
      },
    });
    await it.executor.deployJob(1, otherArtifact, { memoryMb: 512 });
    await it.executor.deployJob(1, otherArtifact, { memoryMb: 1024 });
    await it.executor.invoke(callOf(1), callContext());
    await it.executor.listDeployments();
    await it.executor.undeployJob(1);
    await it.executor.undeployJob(1);
    await failureOf(it.executor.invoke(callOf(1), callContext()));
  });

  it('and all methods the executor has were seen', () => {
    expect([...seen].sort()).toEqual(Object.keys(REST).sort());
  });
});
