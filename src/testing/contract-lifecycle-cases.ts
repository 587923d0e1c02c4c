/** Contract: bring a function into being, look at it, take it away. */
import { contractCall, failureOf, invoke, toText } from './contract-calls.js';
import { CONTRACT_IDS } from './contract-jobs.js';
import type { Bench, ContractCase } from './contract-types.js';

const { echo, count, unknown } = CONTRACT_IDS;

const listed = async ({ executor }: Bench): Promise<number[]> =>
  (await executor.listDeployments()).map(({ jobId }) => jobId);

const counted = async (bench: Bench): Promise<number> =>
  Number(toText((await invoke(bench, contractCall(count))).result));

export const lifecycleCases: readonly ContractCase[] = [
  {
    title: 'a deployed function is described and can be invoked',
    needs: 'lifecycle',
    jobs: [],
    run: async (bench) => {
      const deployment = await bench.deploy(echo);
      bench.expect(deployment.jobId).toBe(echo);
      bench.expect(deployment.provider).toBe(bench.executor.provider);
      bench.expect(deployment.functionName.length > 0 && deployment.endpoint.length > 0).toBe(true);
      const described = await bench.executor.getDeployment(echo);
      bench.expect(described?.functionName).toBe(deployment.functionName);
      bench.expect(toText((await invoke(bench, contractCall(echo, 'hello'))).result)).toBe('hello');
    },
  },
  {
    title: 'deploying the same again changes nothing',
    needs: 'lifecycle',
    jobs: [],
    run: async (bench) => {
      await bench.deploy(echo, { timeoutSecs: 60 });
      const before = await bench.executor.getDeployment(echo);
      await bench.deploy(echo, { timeoutSecs: 60 });
      bench.expect(await bench.executor.getDeployment(echo)).toEqual(before);
    },
  },
  {
    title: 'deploying with another config updates the function',
    needs: 'lifecycle',
    jobs: [],
    run: async (bench) => {
      await bench.deploy(echo, { timeoutSecs: 60 });
      await bench.deploy(echo, { timeoutSecs: 90 });
      bench.expect((await bench.executor.getDeployment(echo))?.timeoutSecs).toBe(90);
      bench.expect(toText((await invoke(bench, contractCall(echo, 'updated'))).result)).toBe('updated');
    },
  },
  {
    title: 'an undeployed function is gone, and undeploying twice is fine',
    needs: 'lifecycle',
    jobs: [echo],
    run: async (bench) => {
      await bench.executor.undeployJob(echo);
      await bench.executor.undeployJob(echo);
      bench.expect(await bench.executor.getDeployment(echo)).toBe(undefined);
      bench.expect((await failureOf(invoke(bench, contractCall(echo)))).code).toBe('NOT_FOUND');
    },
  },
  {
    title: 'an undeployed function can be deployed again',
    needs: 'lifecycle',
    jobs: [echo],
    run: async (bench) => {
      await bench.executor.undeployJob(echo);
      await bench.deploy(echo);
      bench.expect(toText((await invoke(bench, contractCall(echo, 'back'))).result)).toBe('back');
    },
  },
  {
    title: 'undeploying one function leaves the others',
    needs: 'lifecycle',
    jobs: [echo, count],
    run: async (bench) => {
      await bench.executor.undeployJob(count);
      bench.expect(toText((await invoke(bench, contractCall(echo, 'here'))).result)).toBe('here');
    },
  },
  {
    title: 'a function that was never deployed has no deployment',
    needs: 'lifecycle',
    jobs: [],
    run: async (bench) => {
      bench.expect(await bench.executor.getDeployment(unknown)).toBe(undefined);
      await bench.executor.undeployJob(unknown);
    },
  },
  {
    title: 'the list holds what is deployed and nothing that was undeployed',
    needs: 'list',
    jobs: [echo, count],
    run: async (bench) => {
      await bench.executor.undeployJob(count);
      const ids = await listed(bench);
      bench.expect([ids.includes(echo), ids.includes(count)]).toEqual([true, false]);
    },
  },
  {
    title: 'a deployed function is healthy',
    needs: 'health',
    jobs: [echo],
    run: async (bench) => {
      bench.expect((await bench.executor.healthCheck(echo)).status).toBe('healthy');
    },
  },
  {
    title: 'the health of a function that is not there is "missing", not an error',
    needs: 'health',
    jobs: [],
    run: async (bench) => {
      bench.expect((await bench.executor.healthCheck(unknown)).status).toBe('missing');
    },
  },
  {
    title: 'warming does not run the job',
    needs: 'warm',
    jobs: [count],
    run: async (bench) => {
      const before = await counted(bench);
      const callsBefore = (await bench.executor.healthCheck(count)).totalInvocations;
      const warm = await bench.executor.warm(count, 2);
      bench.expect(Number.isInteger(warm) && warm >= 0).toBe(true);
      bench.expect((await bench.executor.healthCheck(count)).totalInvocations).toBe(callsBefore);
      // A fresh instance starts again at 1; one that goes on has counted this call alone.
      bench.expect((await counted(bench)) <= before + 1).toBe(true);
    },
  },
  {
    title: 'warming a function that is not there is NOT_FOUND',
    needs: 'warm',
    jobs: [],
    run: async (bench) => {
      bench.expect((await failureOf(bench.executor.warm(unknown))).code).toBe('NOT_FOUND');
    },
  },
  {
    title: 'an aborted signal stops a life-cycle request',
    needs: 'lifecycle',
    jobs: [echo],
    run: async (bench) => {
      const signal = AbortSignal.abort();
      bench.expect((await failureOf(bench.executor.getDeployment(echo, signal))).code).toBe('CANCELLED');
    },
  },
  {
    title: 'the log of a function ends when its follower gives up',
    needs: 'logs',
    jobs: [echo],
    run: async (bench) => {
      const call = contractCall(echo, 'logged');
      await invoke(bench, call);
      const follower = new AbortController();
      let entries = 0;
      for await (const entry of bench.executor.logs(echo, { follow: true, signal: follower.signal })) {
        entries += 1;
        bench.expect(entry.time instanceof Date && typeof entry.message === 'string').toBe(true);
        follower.abort();
      }
      bench.expect(entries > 0).toBe(true);
    },
  },
];
