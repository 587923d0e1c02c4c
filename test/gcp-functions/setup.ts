/** What the tests of this room share: a fake Google, an executor for it, credentials from its metadata server. */
import {
  CloudFunctionExecutor,
  type CloudFunctionExecutorOptions,
  type GcpFunctionConfig,
} from '../../src/executors/gcp-functions/index.js';
import { packageFiles } from '../../src/packaging/zip.js';
import { type FakeOptions, fakeGcp, PROJECT, REGION } from '../fakes/gcp-functions.js';

export { callOf, failureOf } from '../aws-lambda/setup.js';

process.env['METADATA_SERVER_DETECTION'] = 'assume-present';

const MARK = { path: 'jobferry-gcp.json', bytes: '{"entry":1}\n' };
/** The fake runs jobs in its own process. */
export const artifact = await packageFiles([{ path: 'index.js', bytes: 'exports.main = () => {};\n' }, MARK]);
export const otherArtifact = await packageFiles([{ path: 'index.js', bytes: 'exports.main = 1;\n' }, MARK]);
export const foreignArtifact = await packageFiles([{ path: 'index.js', bytes: 'exports.main = 2;\n' }]);

/** Credentials come from the fake's metadata server, as on a machine of Google's. */
export function useMetadataServer(url: string): void {
  process.env['GCE_METADATA_HOST'] = new URL(url).host;
}

/** A fake and an executor for it; closed together. */
export async function bench(
  fakeOptions: FakeOptions = {},
  options: Partial<CloudFunctionExecutorOptions> = {},
) {
  const fake = await fakeGcp(fakeOptions);
  useMetadataServer(fake.http.url);
  const executor = new CloudFunctionExecutor({
    project: PROJECT,
    region: REGION,
    endpoint: fake.endpoint,
    runEndpoint: fake.http.url,
    loggingEndpoint: fake.http.url,
    pollMs: 5,
    ...options,
  });
  return {
    fake,
    executor,
    deploy: (jobId: number, config: Partial<GcpFunctionConfig> = {}) =>
      executor.deployJob(jobId, artifact, { memoryMb: 256, ...config }),
    async [Symbol.asyncDispose]() {
      await executor.close();
      await fake.close();
    },
  };
}
