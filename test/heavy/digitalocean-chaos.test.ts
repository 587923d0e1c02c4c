import { DigitalOceanExecutor } from '../../src/executors/digitalocean/index.js';
import { artifact } from '../digitalocean/setup.js';
import { fakeDigitalOcean, REGION, TOKEN } from '../fakes/digitalocean.js';
import { doubleExecutionCount, once } from './double-execution.js';

doubleExecutionCount({
  name: 'DigitalOcean',
  async open(through, connections) {
    const fake = await fakeDigitalOcean({ jobs: [once] });
    await using direct = new DigitalOceanExecutor({ token: TOKEN, region: REGION, endpoint: fake.url });
    await direct.deployJob(once.id, artifact, { timeoutSecs: 30 });
    const [namespace] = [...fake.namespaces.values()];
    const accessKey = `${namespace?.['uuid']}:${namespace?.['key']}`;
    const executor = new DigitalOceanExecutor({ apiHost: await through(fake.url), accessKey, connections });
    return { executor, executions: fake.executions, close: () => fake.close() };
  },
});
