/** Every request to App Service, by Microsoft's client or by hand, against the operations of the published API. */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, test } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { contractJobs } from '../../src/testing/contract-jobs.js';
import { executorContract } from '../../src/testing/executor-contract.js';
import { bench, callOf, executorFor, otherArtifact } from '../azure-functions/setup.js';
import type { FakeOptions, ObservedExchange } from '../fakes/azure-functions.js';
import { contractFile } from './folder.js';

interface Operation {
  readonly group: string;
  readonly op: string;
  readonly path: string;
  readonly method: string;
  readonly expected: readonly string[];
  readonly hasBody: boolean;
}

const { operations, apiVersion } = JSON.parse(
  readFileSync(contractFile('azure/arm-appservice-19.0.0.operations.json'), 'utf8'),
) as { operations: Operation[]; apiVersion: string };

/** `…/sites/{name}{?api%2Dversion,deleteMetrics}` -> the path as a pattern, and the query it knows. */
const known = operations.map((operation) => {
  const [path = '', query = ''] = operation.path.split('{?');
  return {
    ...operation,
    pattern: new RegExp(`^${path.replace(/\{[^}]+\}/g, '[^/]+')}$`),
    query: query.replace('}', '').split(',').map(decodeURIComponent),
  };
});

/** Not of App Service, or not in the table: each with the reason. */
const ELSEWHERE: readonly [RegExp, string][] = [
  [
    /^GET .*\/resourceGroups\/[^/]+\/providers\/Microsoft\.Web\/sites$/,
    'of the client; the table leaves it out',
  ],
  [/operationResults\/[^/]+$/, 'an address that Azure hands out'],
  [/resourceGroups\/[^/]+$/, 'resource groups'],
  [/resourceGroups\/[^/]+\/resources$/, 'resource groups'],
  [/Microsoft\.Storage\//, 'storage'],
  [/Microsoft\.Resources\/tags\/default$/, 'tags of any resource'],
];

function faultsOf({ method, host, target, body, status }: ObservedExchange): string[] {
  if (host !== 'management.azure.com') return [];
  const url = new URL(target, 'https://x');
  const where = `${method} ${url.pathname}`;
  const operation = known.find(
    (one) => one.method.toUpperCase() === method && one.pattern.test(url.pathname),
  );
  if (operation === undefined) {
    return ELSEWHERE.some(([pattern]) => pattern.test(where)) ? [] : [`${where}: no operation of the API`];
  }
  const faults: string[] = [];
  if (url.searchParams.get('api-version') !== apiVersion) faults.push(`${where}: another api-version`);
  for (const name of url.searchParams.keys()) {
    if (!operation.query.includes(name)) faults.push(`${where}: the query has no ${name}`);
  }
  if (body.length > 0 !== operation.hasBody) faults.push(`${where}: a body of ${body.length} bytes`);
  if (status < 400 && !operation.expected.includes(String(status)))
    faults.push(`${where}: no answer ${status}`);
  return faults;
}

let faults: string[] = [];
const seen = new Set<string>();
const observe = (exchange: ObservedExchange) => {
  seen.add(exchange.operation);
  faults.push(...faultsOf(exchange));
};
const checked = (options: FakeOptions = {}, more = {}) => bench({ ...options, observe }, more);

afterEach(() => {
  expect(faults).toEqual([]);
  faults = [];
});

describe('every request and every status of the fake is of the published API', () => {
  executorContract({
    name: 'AzureFunctionExecutor',
    test,
    expect,
    create: async () => {
      const limits = { maxPayloadBytes: 1024 * 1024 };
      const { executor, fake, deploy } = await checked({ jobs: contractJobs }, { limits });
      return { executor, deploy, cleanup: () => fake.close() };
    },
  });

  it('and what is outside it is found', () => {
    const site = '/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/a';
    const exchange = { operation: '', headers: {}, host: 'management.azure.com', reply: undefined };
    const at = (method: string, path: string, status = 200, body = '') =>
      faultsOf({ ...exchange, method, target: path, status, body: Buffer.from(body) });
    const version = `?api-version=${apiVersion}`;
    expect(at('GET', `${site}${version}`)).toEqual([]);
    // The original's ways of asking for keys.
    expect(at('POST', `${site}/functions/job0/keys/listKeys${version}`).join()).toContain('no operation');
    expect(at('GET', `${site}?api-version=2022-03-01`).join()).toContain('another api-version');
    expect(at('GET', `${site}${version}`, 200, '{}').join()).toContain('a body of 2 bytes');
    expect(at('DELETE', `${site}${version}`, 201).join()).toContain('no answer 201');
    expect(at('DELETE', `${site}${version}&force=1`).join()).toContain('the query has no force');
  });

  it('through a whole life, on each plan', async () => {
    const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];
    for (const plan of [{ kind: 'flex' } as const, { kind: 'premium', sku: 'EP1' } as const]) {
      await using it = await checked({ jobs }, { azure: { plan } });
      await it.deploy(1, { env: { A: '1' }, labels: { l: '1' }, keepWarm: 1 });
      await it.executor.deployJob(1, otherArtifact, { env: { B: '1' }, keepWarm: 2 });
      await it.executor.invoke(callOf(1), callContext());
      await it.executor.warm(1, 2);
      await it.executor.healthCheck(1);
      await it.executor.listDeployments();
      await it.executor.getDeployment(1);
      // One that did not deploy it has to find it, and its key.
      await using other = executorFor(it.fake);
      await other.invoke(callOf(1), callContext());
      for await (const _ of it.executor.logs(1));
      await it.executor.undeployJob(1);
      await it.executor.undeployJob(1);
      await it.executor.removeShared();
    }
  });

  it('and all operations the executor has were seen', () => {
    expect([...seen].sort()).toEqual([
      'DELETE container',
      'DELETE group',
      'DELETE site',
      'DELETE storage',
      'GET configuration',
      'GET container',
      'GET deployment',
      'GET group',
      'GET operation',
      'GET plan',
      'GET resources',
      'GET site',
      'GET sites',
      'GET storage',
      'PATCH configuration',
      'PATCH tags',
      'POST call',
      'POST keys',
      'POST publish',
      'POST query',
      'POST settings',
      'POST storage keys',
      'POST sync',
      'POST zipdeploy',
      'PUT container',
      'PUT group',
      'PUT plan',
      'PUT settings',
      'PUT site',
      'PUT storage',
    ]);
  });
});
