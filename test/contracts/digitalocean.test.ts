/** Every request of the executor and every reply of the fake, against DigitalOcean's OpenAPI and OpenWhisk's Swagger. */
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { afterEach, describe, expect, it, test } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { DigitalOceanExecutor } from '../../src/executors/digitalocean/index.js';
import { contractJobs } from '../../src/testing/contract-jobs.js';
import { executorContract } from '../../src/testing/executor-contract.js';
import { artifact, bench, callOf, failureOf, otherArtifact } from '../digitalocean/setup.js';
import { type FakeOptions, type ObservedExchange, REGION, TOKEN } from '../fakes/digitalocean.js';
import { contractFile } from './folder.js';

type Json = Record<string, unknown>;

/** Checks exchanges against one description, of either form. */
class Description {
  readonly #document: Json;
  readonly #ajv = new Ajv({ strict: false, validateFormats: false });
  readonly #base: string;

  constructor(path: string, base: string) {
    this.#document = JSON.parse(readFileSync(path, 'utf8')) as Json;
    this.#base = base;
    // By `$id`, so that its references find their targets.
    this.#ajv.addSchema({ $id: 'doc', ...(JSON.parse(JSON.stringify(this.#document)) as Json) });
  }

  knows({ target }: ObservedExchange): boolean {
    return target.startsWith(this.#base);
  }

  faults({ method, target, body, status, reply }: ObservedExchange): string[] {
    const url = new URL(target, 'http://x');
    const path = url.pathname.slice(this.#base === '/v2/' ? 0 : this.#base.length - 1);
    const paths = this.#document['paths'] as Record<string, Record<string, Json>>;
    const template = Object.keys(paths)
      .sort((a, b) => a.split('{').length - b.split('{').length)
      .find((one) => new RegExp(`^${one.replace(/\{[^}]+\}/g, '[^/]+')}$`).test(path));
    const operation = template === undefined ? undefined : paths[template]?.[method.toLowerCase()];
    if (template === undefined || operation === undefined)
      return [`${method} ${path}: no operation of the description`];
    const at = `/paths/${template.replaceAll('~', '~0').replaceAll('/', '~1')}/${method.toLowerCase()}`;
    const where = `${method} ${template}`;
    const parameters = (operation['parameters'] ?? []) as Json[];
    const known = new Set(parameters.filter((one) => one['in'] === 'query').map((one) => one['name']));
    const faults = [...url.searchParams.keys()]
      .filter((name) => !known.has(name) && !this.#hasReferences(parameters))
      .map((name) => `${where}: the query has no ${name}`);
    const index = parameters.findIndex((one) => one['in'] === 'body');
    const requestPointer =
      index >= 0 ? `${at}/parameters/${index}/schema` : `${at}/requestBody/content/application~1json/schema`;
    if (body !== undefined) faults.push(...this.#check(requestPointer, body, `${where} request`));
    const responses = operation['responses'] as Record<string, Json>;
    if (responses[String(status)] === undefined) return [...faults, `${where}: no answer ${status}`];
    if (reply === undefined || typeof reply === 'string') return faults;
    const response = `${at}/responses/${status}`;
    const pointers = [`${response}/schema`, `${response}/content/application~1json/schema`];
    return [...faults, ...pointers.flatMap((pointer) => this.#check(pointer, reply, `${where} ${status}`))];
  }

  #hasReferences(parameters: readonly Json[]): boolean {
    return parameters.some((one) => '$ref' in one);
  }

  /** Nothing to say where the description has no schema. */
  #check(pointer: string, value: unknown, what: string): string[] {
    const steps = pointer
      .split('/')
      .slice(1)
      .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
    let node: unknown = this.#document;
    for (const step of steps) node = (node as Json | undefined)?.[step];
    if (node === undefined) return [];
    const validate = this.#ajv.compile({
      $ref: `doc#${pointer.split('/').map(encodeURIComponent).join('/')}`,
    });
    if (validate(value)) return [];
    return (validate.errors ?? []).map(({ instancePath, message }) => `${what}${instancePath}: ${message}`);
  }
}

const digitalOcean = new Description(contractFile('digitalocean/functions.openapi.json'), '/v2/');
const openWhisk = new Description(contractFile('openwhisk.swagger.json'), '/api/v1/');

let faults: string[] = [];
const seen = new Set<string>();
const observe = (exchange: ObservedExchange) => {
  seen.add(exchange.operation);
  for (const description of [digitalOcean, openWhisk]) {
    if (description.knows(exchange)) faults.push(...description.faults(exchange));
  }
};
const checked = (options: FakeOptions = {}) => bench({ ...options, observe });

afterEach(() => {
  expect(faults).toEqual([]);
  faults = [];
});

describe('every request and every reply of the fake is valid under the published descriptions', () => {
  executorContract({
    name: 'DigitalOceanExecutor',
    test,
    expect,
    create: async () => {
      const { executor, fake, deploy } = await checked({ jobs: contractJobs });
      return { executor, deploy, cleanup: () => fake.close() };
    },
  });

  it('and what is outside them is found', () => {
    const exchange = { operation: '', method: 'PUT', status: 200, reply: undefined };
    const target = '/api/v1/namespaces/_/actions/f?overwrite=true';
    const wrong = { ...exchange, target, body: { limits: { memory: 'much' } } };
    expect(openWhisk.faults(wrong).join()).toContain('/limits/memory: must be integer');
    expect(openWhisk.faults({ ...exchange, target: '/api/v1/nonsense', body: {} }).join()).toContain(
      'no operation',
    );
    expect(openWhisk.faults({ ...exchange, target, body: {}, status: 418 }).join()).toContain(
      'no answer 418',
    );
    const made = { ...exchange, method: 'POST', target: '/v2/functions/namespaces', body: { region: 1 } };
    expect(digitalOcean.faults(made).length).toBeGreaterThan(0);
  });

  it('through a whole life', async () => {
    const handler = async (input: Uint8Array) => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      return input;
    };
    const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler })];
    await using it = await checked({ jobs, blockingMs: 1 });
    await it.executor.deployJob(1, artifact, {
      memoryMb: 256,
      timeoutSecs: 60,
      env: { A: '1' },
      labels: { l: '1' },
      keepWarm: 1,
    });
    await it.executor.deployJob(1, otherArtifact, { memoryMb: 512 });
    await it.executor.invoke(callOf(1), callContext());
    await it.executor.warm(1, 2);
    await it.executor.listDeployments();
    // One that did not make the namespace has to find it, and its key.
    await using other = new DigitalOceanExecutor({ token: TOKEN, region: REGION, endpoint: it.fake.url });
    await other.listDeployments();
    for await (const _ of it.executor.logs(1));
    await it.executor.undeployJob(1);
    await it.executor.undeployJob(1);
    await failureOf(it.executor.invoke(callOf(1), callContext()));
  });

  it('and all operations the executor has were seen', () => {
    expect([...seen].sort()).toEqual([
      'DELETE action',
      'DELETE trigger',
      'GET action',
      'GET actions',
      'GET activation',
      'GET activation logs',
      'GET activations',
      'GET namespace',
      'GET namespaces',
      'GET trigger',
      'POST action',
      'POST namespaces',
      'POST triggers',
      'PUT action',
    ]);
  });
});
