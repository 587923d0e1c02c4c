/** What the tests of this room share: a fake Azure, an executor for it, packages. */
import {
  type AzureFunctionConfig,
  AzureFunctionExecutor,
  type AzureFunctionExecutorOptions,
} from '../../src/executors/azure-functions/index.js';
import { ENTRY_MARK } from '../../src/executors/azure-functions/package-entry.js';
import { packageFiles } from '../../src/packaging/zip.js';
import {
  type FakeAzure,
  type FakeOptions,
  fakeAzure,
  INSIGHTS,
  SUBSCRIPTION,
} from '../fakes/azure-functions.js';

export { callOf, failureOf } from '../aws-lambda/setup.js';

/** The fake runs jobs in its own process: what counts about a package is that a host would start it. */
function packageOf(code: string, entry = true) {
  return packageFiles([
    ...(entry ? [{ path: ENTRY_MARK, bytes: '{"entry":1}\n' }] : []),
    { path: 'host.json', bytes: '{"version":"2.0"}\n' },
    { path: 'job/function.json', bytes: '{"bindings":[]}\n' },
    { path: 'index.mjs', bytes: code },
  ]);
}
export const artifact = await packageOf('export const one = 1;\n');
export const otherArtifact = await packageOf('export const one = 2;\n');
export const foreignArtifact = await packageOf('export const one = 3;\n', false);

/** Every request of a first deploy, in its order. */
export const STEPS = [
  'GET site',
  'GET group',
  'PUT group',
  'GET storage',
  'PUT storage',
  'POST storage keys',
  'GET container',
  'PUT container',
  'GET plan',
  'PUT plan',
  'PUT site',
  'GET operation',
  'POST settings',
  'POST publish',
  'GET deployment',
  'POST keys',
  'PATCH tags',
];

export const LOCATION = 'westeurope';

export function executorFor(
  fake: FakeAzure,
  options: AzureFunctionExecutorOptions = {},
): AzureFunctionExecutor {
  return new AzureFunctionExecutor({
    subscriptionId: SUBSCRIPTION,
    location: LOCATION,
    credential: fake.credential,
    dispatcher: fake.dispatcher,
    applicationInsights: INSIGHTS,
    pollMs: 1,
    readyTimeoutMs: 20_000,
    ...options,
  });
}

/** A fake and an executor for it; closed together. */
export async function bench(fakeOptions: FakeOptions = {}, options: AzureFunctionExecutorOptions = {}) {
  const fake = await fakeAzure(fakeOptions);
  const executor = executorFor(fake, options);
  return {
    fake,
    executor,
    deploy: (jobId: number, config: Partial<AzureFunctionConfig> = {}) =>
      executor.deployJob(jobId, artifact, config),
    /** The one app of a job. */
    site(jobId: number) {
      const found = [...fake.arm.sites].find(([name]) => name.endsWith(`-job-${jobId}`));
      if (found === undefined) throw new Error(`there is no app for job ${jobId}`);
      return { name: found[0], ...found[1], settings: found[1].settings };
    },
    async [Symbol.asyncDispose]() {
      await executor.close();
      await fake.close();
    },
  };
}
