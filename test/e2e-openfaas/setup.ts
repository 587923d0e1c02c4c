/** What the tests of this room share: a fake of each server, and an executor of each profile for it. */
import {
  E2eOpenFaasExecutor,
  type E2eOpenFaasFunctionConfig,
  type E2eOptions,
  type E2ePlatformOptions,
  type OpenFaasOptions,
} from '../../src/executors/e2e-openfaas/index.js';
import { packageFiles } from '../../src/packaging/zip.js';
import {
  API_KEY,
  AUTH_TOKEN,
  type CloudOptions,
  fakeE2eCloud,
  NAMESPACE,
  PROJECT,
} from '../fakes/e2e-cloud.js';
import { fakeGateway, type GatewayOptions, PASSWORD, USER } from '../fakes/openfaas-gateway.js';

export { callOf, failureOf } from '../aws-lambda/setup.js';

const handler = (text: string) =>
  packageFiles([
    { path: 'handler.js', bytes: text },
    { path: 'package.json', bytes: '{"name":"job"}\n' },
  ]);

/** The fakes run jobs in their own process. */
export const artifact = await handler('module.exports = async () => {};\n');
export const otherArtifact = await handler('module.exports = async () => 1;\n');

export const IMAGE = 'registry.example/jobs:1';
export const SECRETS = [PASSWORD, API_KEY, AUTH_TOKEN] as const;

export async function gatewayBench(fakeOptions: GatewayOptions = {}, options: OpenFaasOptions = {}) {
  const fake = await fakeGateway(fakeOptions);
  const auth = { basic: { user: USER, password: PASSWORD } };
  const executor = new E2eOpenFaasExecutor({
    url: fake.url,
    auth,
    pollMs: 2,
    openfaas: { image: IMAGE },
    ...options,
  });
  return { fake, ...withExecutor(executor, fake) };
}

export async function platformBench(
  fakeOptions: CloudOptions = {},
  options: Partial<E2ePlatformOptions> = {},
) {
  const fake = await fakeE2eCloud(fakeOptions);
  const shared = { url: fake.platformUrl, apiKey: API_KEY, authToken: AUTH_TOKEN, pollMs: 2 };
  const executor = new E2eOpenFaasExecutor({ profile: 'e2e-platform', ...shared, ...options });
  return { fake, ...withExecutor(executor, fake) };
}

export const ACCOUNT = {
  apiKey: API_KEY,
  authToken: AUTH_TOKEN,
  projectId: PROJECT,
  namespace: NAMESPACE,
} as const;

export async function accountBench(fakeOptions: CloudOptions = {}, options: Partial<E2eOptions> = {}) {
  const fake = await fakeE2eCloud(fakeOptions);
  const executor = new E2eOpenFaasExecutor({
    profile: 'e2e',
    url: fake.accountUrl,
    ...ACCOUNT,
    pollMs: 2,
    ...options,
  });
  return { fake, ...withExecutor(executor, fake) };
}

function withExecutor(executor: E2eOpenFaasExecutor, fake: { close(): Promise<void> }) {
  return {
    executor,
    deploy: (jobId: number, config: Partial<E2eOpenFaasFunctionConfig> = {}) =>
      executor.deployJob(jobId, artifact, { memoryMb: 256, ...config }),
    async [Symbol.asyncDispose]() {
      await executor.close();
      await fake.close();
    },
  };
}
