import { E2eOpenFaasExecutor } from '../../src/executors/e2e-openfaas/index.js';
import { accountBench, artifact, gatewayBench, IMAGE, platformBench } from '../e2e-openfaas/setup.js';
import type { FakeE2eCloud } from '../fakes/e2e-cloud.js';
import { PASSWORD, USER } from '../fakes/openfaas-gateway.js';
import { doubleExecutionCount, once } from './double-execution.js';

doubleExecutionCount({
  name: 'OpenFaaS',
  async open(through, connections) {
    const it = await gatewayBench({ jobs: [once] });
    await it.executor.deployJob(once.id, artifact);
    const auth = { basic: { user: USER, password: PASSWORD } };
    const url = await through(it.fake.url);
    const executor = new E2eOpenFaasExecutor({ url, auth, connections, openfaas: { image: IMAGE } });
    return { executor, executions: it.fake.executions, close: () => it[Symbol.asyncDispose]() };
  },
});

doubleExecutionCount({
  name: 'E2E',
  async open(through, connections) {
    const { executor, fake } = await accountBench({ jobs: [once] }, { connections });
    await executor.deployJob(once.id, artifact);
    await move(fake, through);
    return { executor, executions: fake.executions, close: () => fake.close() };
  },
});

doubleExecutionCount({
  name: 'E2E’s design documents',
  async open(through, connections) {
    const { executor, fake } = await platformBench({ jobs: [once] }, { connections });
    await executor.deployJob(once.id, artifact);
    await move(fake, through);
    return { executor, executions: fake.executions, close: () => fake.close() };
  },
});

/** The API is near; the address that it reports leads through the proxy. */
async function move(
  { functions, origin }: FakeE2eCloud,
  through: (target: string) => Promise<string>,
): Promise<void> {
  const proxied = await through(origin);
  for (const [id, found] of functions)
    functions.set(id, { ...found, elsewhere: `${proxied}/at/${String(found['name'])}/` });
}
