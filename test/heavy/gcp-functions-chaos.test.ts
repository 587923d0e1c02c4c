import { CloudFunctionExecutor } from '../../src/executors/gcp-functions/index.js';
import { PROJECT, REGION } from '../fakes/gcp-functions.js';
import { artifact, bench } from '../gcp-functions/setup.js';
import { doubleExecutionCount, once } from './double-execution.js';

doubleExecutionCount({
  name: 'Cloud Functions',
  async open(through, connections) {
    const it = await bench({ jobs: [once] });
    const { http } = it.fake;
    await it.executor.deployJob(once.id, artifact, { timeoutSecs: 30 });
    // The token is for the function as callers see it: by the proxy's address here.
    http.publicUrl = await through(http.url);
    const functionUrl = () => `${http.publicUrl}/run/jobferry-job-1`;
    const executor = new CloudFunctionExecutor({
      project: PROJECT,
      region: REGION,
      connections,
      functionUrl,
    });
    return { executor, executions: http.executions, close: () => it[Symbol.asyncDispose]() };
  },
});
