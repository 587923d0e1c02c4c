/** E2E Functions for the CLI: either of E2E's APIs, from the environment. */
import type { FaasExecutor } from '../../index.js';
import { usageError } from '../exit-codes.js';
import type { Check, CliProvider, Env } from '../provider.js';

const IDS = '.jobferry/e2e-functions.json';

export const e2e: CliProvider = {
  name: 'e2e',
  target: 'e2e',
  variables: {
    JOBFERRY_E2E_PROFILE:
      'e2e-platform (default), the API of the design documents; or e2e, that of the account',
    E2E_FAAS_URL: 'the API; a platform of your own for e2e-platform',
    'E2E_API_KEY, E2E_AUTH_TOKEN': 'credentials; none for a platform on this machine',
    'E2E_PROJECT_ID, E2E_LOCATION': 'for the profile e2e',
    JOBFERRY_E2E_NAMESPACE: 'where functions live; the profile e2e needs it',
    JOBFERRY_E2E_IDS: `file with the ids of functions, for the profile e2e; default ${IDS}`,
  },
  async open(env: Env, onStep): Promise<FaasExecutor> {
    const { E2eOpenFaasExecutor, fileFunctionIds } = await import('../../executors/e2e-openfaas/index.js');
    const { JOBFERRY_E2E_PROFILE: profile = 'e2e-platform', E2E_FAAS_URL: url } = env;
    const { E2E_API_KEY: apiKey, E2E_AUTH_TOKEN: authToken, JOBFERRY_E2E_NAMESPACE: namespace } = env;
    const shared = {
      ...(url && { url }),
      ...(apiKey && { apiKey }),
      ...(authToken && { authToken }),
      ...(namespace && { namespace }),
      ...(onStep && { onProgress: ({ step }: { readonly step: string }) => onStep(step) }),
    };
    if (profile === 'e2e-platform') return new E2eOpenFaasExecutor({ ...shared, profile });
    if (profile !== 'e2e') throw usageError('JOBFERRY_E2E_PROFILE is e2e-platform or e2e.');
    const { E2E_PROJECT_ID: projectId, E2E_LOCATION: location } = env;
    return new E2eOpenFaasExecutor({
      ...shared,
      profile,
      ...(projectId && { projectId }),
      ...(location && { location }),
      ids: fileFunctionIds(env['JOBFERRY_E2E_IDS'] || IDS),
    });
  },
  doctor: async (env: Env) => [await checkAccess(env)],
};

/** The account's API lists nothing: there only what is missing can be told. */
async function checkAccess(env: Env): Promise<Check> {
  const name = 'e2e access';
  try {
    const executor = await e2e.open(env);
    try {
      const found = await executor.listDeployments(AbortSignal.timeout(15_000));
      const message = `works, ${found.length} functions of ours`;
      return env['JOBFERRY_E2E_PROFILE'] === 'e2e'
        ? {
            name,
            status: 'warn',
            message: `${found.length} functions by their ids; this API was never tried live`,
          }
        : { name, status: 'ok', message };
    } finally {
      await executor.close?.();
    }
  } catch (error) {
    return { name, status: 'fail', message: error instanceof Error ? error.message : String(error) };
  }
}
