/** An OpenFaaS-compatible gateway for the CLI: options from the environment, as faas-cli reads it. */
import type { FaasExecutor } from '../../index.js';
import type { Check, CliProvider, Env } from '../provider.js';

export const openFaas: CliProvider = {
  name: 'openfaas',
  target: 'openfaas',
  variables: {
    OPENFAAS_URL: 'the gateway; default http://127.0.0.1:8080',
    'JOBFERRY_OPENFAAS_USER, JOBFERRY_OPENFAAS_PASSWORD': 'Basic auth of the gateway',
    JOBFERRY_OPENFAAS_TOKEN: 'a Bearer token, in place of Basic auth',
    JOBFERRY_OPENFAAS_NAMESPACE: 'default openfaas-fn',
    JOBFERRY_OPENFAAS_REPOSITORY:
      'where docker builds and pushes images to; deploys need it, or the next one',
    JOBFERRY_OPENFAAS_IMAGE: 'reference of an image that was built from the package',
  },
  open: async (env: Env, onStep): Promise<FaasExecutor> => executorFrom(env, onStep),
  doctor: async (env: Env) => [await checkGateway(env), checkImage(env)],
};

async function executorFrom(env: Env, onStep?: (step: string) => void) {
  const { dockerImage, E2eOpenFaasExecutor } = await import('../../executors/e2e-openfaas/index.js');
  const { OPENFAAS_URL: url, JOBFERRY_OPENFAAS_NAMESPACE: namespace } = env;
  const { JOBFERRY_OPENFAAS_REPOSITORY: repository } = env;
  const image = env['JOBFERRY_OPENFAAS_IMAGE'] || (repository && dockerImage({ repository }));
  return new E2eOpenFaasExecutor({
    ...(url && { url }),
    ...(namespace && { namespace }),
    ...authFrom(env),
    ...(image && { openfaas: { image } }),
    ...(onStep && { onProgress: ({ step }) => onStep(step) }),
  });
}

function authFrom(env: Env) {
  const { JOBFERRY_OPENFAAS_USER: user, JOBFERRY_OPENFAAS_PASSWORD: password } = env;
  const { JOBFERRY_OPENFAAS_TOKEN: bearer } = env;
  if (bearer) return { auth: { bearer } };
  return password ? { auth: { basic: { user: user || 'admin', password } } } : {};
}

/** Proves the address, the credentials, and that a provider stands behind the gateway. */
async function checkGateway(env: Env): Promise<Check> {
  const name = 'openfaas gateway';
  try {
    await using executor = await executorFrom(env);
    const info = (await executor.server.info(AbortSignal.timeout(15_000))) as { provider?: unknown };
    if (!info.provider) return { name, status: 'fail', message: 'answers, and cannot reach its provider' };
    const found = await executor.listDeployments(AbortSignal.timeout(15_000));
    return { name, status: 'ok', message: `works, ${found.length} functions of ours` };
  } catch (error) {
    return { name, status: 'fail', message: error instanceof Error ? error.message : String(error) };
  }
}

function checkImage({
  JOBFERRY_OPENFAAS_IMAGE: image,
  JOBFERRY_OPENFAAS_REPOSITORY: repository,
}: Env): Check {
  const name = 'openfaas image';
  if (image) return { name, status: 'ok', message: image };
  if (repository) return { name, status: 'ok', message: `built by docker and pushed to ${repository}` };
  return { name, status: 'warn', message: 'deploys need one: set JOBFERRY_OPENFAAS_REPOSITORY' };
}
