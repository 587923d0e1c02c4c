import { artifact, executorFor } from '../aws-lambda/setup.js';
import { fakeLambda } from '../fakes/aws-lambda.js';
import { doubleExecutionCount, once } from './double-execution.js';

doubleExecutionCount({
  name: 'Lambda',
  async open(through, connections) {
    const fake = await fakeLambda({ jobs: [once] });
    await using direct = executorFor(fake);
    await direct.deployJob(once.id, artifact, { timeoutSecs: 30 });
    const executor = executorFor(fake, { endpoint: await through(fake.url), connections });
    return { executor, executions: fake.runs.executions, close: () => fake.close() };
  },
});
