import { AzureFunctionExecutor } from '../../src/executors/azure-functions/index.js';
import { bench } from '../azure-functions/setup.js';
import { doubleExecutionCount, once } from './double-execution.js';

doubleExecutionCount({
  name: 'Azure',
  async open(through, connections) {
    const it = await bench({ jobs: [once] });
    await it.deploy(once.id, { timeoutSecs: 30 });
    const { functionKey } = it.site(once.id);
    // Over plain HTTP, so that faults meet requests and replies, and not the handshakes of TLS.
    const url = await through(it.fake.plainUrl);
    const executor = new AzureFunctionExecutor({ apps: () => ({ url, functionKey }), connections });
    return { executor, executions: it.fake.executions, close: () => it[Symbol.asyncDispose]() };
  },
});
