/** What the tests of this room share: a fake DigitalOcean and an executor for it. */
import {
  DigitalOceanExecutor,
  type DigitalOceanExecutorOptions,
  type DigitalOceanFunctionConfig,
} from '../../src/executors/digitalocean/index.js';
import { packageFiles } from '../../src/packaging/zip.js';
import { type FakeOptions, fakeDigitalOcean, REGION, TOKEN } from '../fakes/digitalocean.js';

export { callOf, failureOf } from '../aws-lambda/setup.js';

const ENTRY_MARK = { path: 'jobferry-digitalocean.json', bytes: '{"entry":1}\n' };

/** The fake runs jobs in its own process. */
export const artifact = await packageFiles([
  { path: 'index.js', bytes: 'exports.main = () => ({});\n' },
  ENTRY_MARK,
]);
export const otherArtifact = await packageFiles([
  { path: 'index.js', bytes: 'exports.main = () => 1;\n' },
  ENTRY_MARK,
]);
/** With no entry of ours in it. */
export const foreignArtifact = await packageFiles([
  { path: 'index.js', bytes: 'exports.main = () => ({ payment: "sent" });\n' },
]);

/** A fake and an executor for it; closed together. */
export async function bench(fakeOptions: FakeOptions = {}, options: DigitalOceanExecutorOptions = {}) {
  const fake = await fakeDigitalOcean(fakeOptions);
  const executor = new DigitalOceanExecutor({
    token: TOKEN,
    region: REGION,
    endpoint: fake.url,
    pollMs: 5,
    ...options,
  });
  return {
    fake,
    executor,
    deploy: (jobId: number, config: Partial<DigitalOceanFunctionConfig> = {}) =>
      executor.deployJob(jobId, artifact, { memoryMb: 256, ...config }),
    async [Symbol.asyncDispose]() {
      await executor.close();
      await fake.close();
    },
  };
}
