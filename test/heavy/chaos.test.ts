import { HttpFaasExecutor } from '../../src/executors/custom-http/index.js';
import { fakePlatform } from '../../src/testing/index.js';
import { doubleExecutionCount, once } from './double-execution.js';

doubleExecutionCount({
  name: 'custom-http',
  replyBytes: 80,
  async open(through, connections) {
    const platform = await fakePlatform({ jobs: [once], deployed: true });
    const baseUrl = await through(platform.url);
    const executor = new HttpFaasExecutor({ baseUrl, connections });
    return { executor, executions: platform.executions, close: () => platform.close() };
  },
});
