/** DigitalOcean Functions for the CLI: options from the environment, as doctl reads it. */
import type { FaasExecutor } from '../../index.js';
import type { Check, CliProvider, Env } from '../provider.js';

export const digitalOcean: CliProvider = {
  name: 'digitalocean',
  target: 'digitalocean',
  variables: {
    DIGITALOCEAN_TOKEN: 'API token of the account',
    JOBFERRY_DO_REGION: 'where the namespace is, for example fra1',
    JOBFERRY_DO_NAMESPACE: 'its label; default jobferry',
    'JOBFERRY_DO_API_HOST, JOBFERRY_DO_ACCESS_KEY': 'one namespace, in place of a token',
  },
  async open(env: Env, onStep): Promise<FaasExecutor> {
    const { DigitalOceanExecutor } = await import('../../executors/digitalocean/index.js');
    const { DIGITALOCEAN_TOKEN: token, JOBFERRY_DO_REGION: region, JOBFERRY_DO_NAMESPACE: namespace } = env;
    const {
      JOBFERRY_DO_API_HOST: apiHost,
      JOBFERRY_DO_ACCESS_KEY: accessKey,
      JOBFERRY_DO_ENDPOINT: endpoint,
    } = env;
    return new DigitalOceanExecutor({
      ...(token && { token }),
      ...(region && { region }),
      ...(namespace && { namespace }),
      ...(apiHost && { apiHost }),
      ...(accessKey && { accessKey }),
      ...(endpoint && { endpoint }),
      ...(onStep && { onProgress: ({ step }) => onStep(step) }),
    });
  },
  doctor: async (env: Env) => [await checkAccess(env)],
};

/** Lists what is there: proves the token, the region's namespace and its key. */
async function checkAccess(env: Env): Promise<Check> {
  const name = 'digitalocean access';
  try {
    const executor = await digitalOcean.open(env);
    try {
      const found = await executor.listDeployments(AbortSignal.timeout(15_000));
      return { name, status: 'ok', message: `works, ${found.length} functions deployed` };
    } finally {
      await executor.close?.();
    }
  } catch (error) {
    return { name, status: 'fail', message: error instanceof Error ? error.message : String(error) };
  }
}
