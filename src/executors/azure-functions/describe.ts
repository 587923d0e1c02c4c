/** An app as Azure describes it -> a Deployment. What Azure does not say is absent. */
import type { Site } from '@azure/arm-appservice';
import type { Deployment } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { endpointOf } from './access.js';
import { CODE_BYTES, CODE_SHA256, timeoutSecsOf } from './app-shape.js';
import { FUNCTION } from './app-spec.js';
import { PROVIDER } from './options.js';

/** @param settings of the app, where they were read: the time limit is one of them */
export function deploymentOf(
  jobId: JobId,
  appName: string,
  site: Site,
  settings: Readonly<Record<string, string>> = {},
): Deployment {
  const { functionAppConfig, tags = {}, lastModifiedTimeUtc } = site;
  const {
    instanceMemoryMB: memoryMb,
    maximumInstanceCount,
    triggers,
  } = functionAppConfig?.scaleAndConcurrency ?? {};
  const timeoutSecs = timeoutSecsOf(settings);
  const isOneCallEach = triggers?.http?.perInstanceConcurrency === 1;
  const [sha256 = '', bytes = ''] = [tags[CODE_SHA256], tags[CODE_BYTES]];
  return {
    jobId,
    functionName: appName,
    provider: PROVIDER,
    endpoint: `${endpointOf({ ...site }, appName)}/api/${FUNCTION}`,
    ...(memoryMb !== undefined && { memoryMb }),
    ...(timeoutSecs !== undefined && { timeoutSecs }),
    ...(isOneCallEach && maximumInstanceCount !== undefined && { maxConcurrency: maximumInstanceCount }),
    ...(/^[0-9a-f]{64}$/.test(sha256) && { sha256 }),
    ...(/^\d+$/.test(bytes) && { artifactBytes: Number(bytes) }),
    ...(lastModifiedTimeUtc !== undefined && { deployedAt: lastModifiedTimeUtc.toISOString() }),
  };
}
