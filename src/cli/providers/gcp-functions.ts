/** Google Cloud Functions for the CLI: options from the environment, as gcloud reads it. */
import type { FaasExecutor } from '../../index.js';
import type { Check, CliProvider, Env } from '../provider.js';
import { checkPackage } from '../provider.js';

export const gcpFunctions: CliProvider = {
  name: 'gcp-functions',
  target: 'gcp-functions',
  variables: {
    GOOGLE_CLOUD_PROJECT: 'the project',
    JOBFERRY_GCP_REGION: 'where functions live, for example europe-west1',
    GOOGLE_APPLICATION_CREDENTIALS: 'a key file, where no service account is attached',
    JOBFERRY_GCP_SERVICE_ACCOUNT: 'e-mail of the account that functions run as',
    JOBFERRY_GCP_INVOKERS:
      'who may call, for example serviceAccount:runner@p.iam.gserviceaccount.com; by commas',
  },
  async open(env: Env, onStep): Promise<FaasExecutor> {
    const { CloudFunctionExecutor } = await import('../../executors/gcp-functions/index.js');
    const { GOOGLE_CLOUD_PROJECT: project, JOBFERRY_GCP_REGION: region = '' } = env;
    const { JOBFERRY_GCP_ENDPOINT: endpoint, JOBFERRY_GCP_RUN_ENDPOINT: runEndpoint } = env;
    const { JOBFERRY_GCP_SERVICE_ACCOUNT: serviceAccount, JOBFERRY_GCP_INVOKERS: invokers } = env;
    return new CloudFunctionExecutor({
      region,
      ...(project && { project }),
      ...(endpoint && { endpoint }),
      ...(runEndpoint && { runEndpoint }),
      gcp: {
        ...(serviceAccount && { serviceAccount }),
        ...(invokers && { invokers: invokers.split(',').map((one) => one.trim()) }),
      },
      ...(onStep && { onProgress: ({ step }) => onStep(step) }),
    });
  },
  doctor: async (env: Env) => [
    await checkPackage('google-auth-library', () => import('google-auth-library'), 'calls'),
    await checkPackage('@google-cloud/functions', () => import('@google-cloud/functions'), 'the life cycle'),
    await checkAccess(env),
  ],
};

/** Lists what is there: proves the project, the region, the credentials and the API. */
async function checkAccess(env: Env): Promise<Check> {
  const name = 'gcp-functions access';
  try {
    const executor = await gcpFunctions.open(env);
    try {
      const found = await executor.listDeployments(AbortSignal.timeout(30_000));
      return { name, status: 'ok', message: `works, ${found.length} functions deployed` };
    } finally {
      await executor.close?.();
    }
  } catch (error) {
    return { name, status: 'fail', message: error instanceof Error ? error.message : String(error) };
  }
}
