/** Azure Functions for the CLI: options from the environment, credentials as @azure/identity finds them. */
import type { FaasExecutor } from '../../index.js';
import { type Check, type CliProvider, checkPackage, type Env } from '../provider.js';

export const azureFunctions: CliProvider = {
  name: 'azure-functions',
  target: 'azure-functions',
  variables: {
    AZURE_SUBSCRIPTION_ID: 'the subscription',
    JOBFERRY_AZURE_LOCATION: 'where apps are made, for example westeurope',
    JOBFERRY_AZURE_RESOURCE_GROUP: 'default jobferry',
    JOBFERRY_AZURE_STORAGE_ACCOUNT: 'an account of yours; default: one is made',
    APPLICATIONINSIGHTS_CONNECTION_STRING: 'where functions log, and logs are read',
  },
  async open(env: Env, onStep): Promise<FaasExecutor> {
    const { AzureFunctionExecutor } = await import('../../executors/azure-functions/index.js');
    const {
      AZURE_SUBSCRIPTION_ID: subscriptionId,
      JOBFERRY_AZURE_LOCATION: location,
      JOBFERRY_AZURE_RESOURCE_GROUP: resourceGroup,
      JOBFERRY_AZURE_STORAGE_ACCOUNT: storageAccount,
      JOBFERRY_AZURE_ENDPOINT: endpoint,
      APPLICATIONINSIGHTS_CONNECTION_STRING: applicationInsights,
    } = env;
    return new AzureFunctionExecutor({
      ...(subscriptionId && { subscriptionId }),
      ...(location && { location }),
      ...(resourceGroup && { resourceGroup }),
      ...(storageAccount && { storageAccount }),
      ...(endpoint && { endpoint }),
      ...(applicationInsights && { applicationInsights }),
      ...(onStep && { onProgress: ({ step }) => onStep(step) }),
    });
  },
  doctor: async (env: Env) => [
    await checkPackage('@azure/arm-appservice', () => import('@azure/arm-appservice'), 'deploys to Azure'),
    await checkPackage('@azure/identity', () => import('@azure/identity'), 'logging in to Azure'),
    await checkAccess(env),
  ],
};

/** Lists what is there: proves the subscription, the credential and its right to read. */
async function checkAccess(env: Env): Promise<Check> {
  const name = 'azure access';
  try {
    const executor = await azureFunctions.open(env);
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
