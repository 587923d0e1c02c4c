/** Packages that do not fit into a request go through an S3 bucket, named by their content. */
import { FaasError } from '../../core/errors.js';
import type { CallScope } from '../../core/scope.js';
import { importPeer } from '../shared/peers.js';
import type { ControlPlane } from './control-plane.js';
import type { FunctionSpec } from './function-spec.js';
import { config, PROVIDER, type Settings } from './options.js';

/**
 * Puts the package into the bucket, unless it is there. It stays: a bucket rule that deletes old objects is the
 * simplest way to tidy up, since Lambda copies the code when it is deployed.
 */
export async function uploadCode(
  { upload, region }: Settings,
  control: ControlPlane,
  spec: FunctionSpec,
  scope: CallScope,
): Promise<{ bucket: string; key: string }> {
  if (upload === undefined) throw config('has no `upload.bucket` for a package of this size');
  const { bucket, prefix = 'jobferry/', endpoint } = upload;
  const key = `${prefix}${spec.artifact.sha256}.zip`;
  const s3 = await importPeer('LambdaExecutor', '@aws-sdk/client-s3', () => import('@aws-sdk/client-s3'));
  const client = new s3.S3Client({
    region,
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
    credentials: () => control.credentials(spec.functionName, scope),
  });
  const target = { Bucket: bucket, Key: key };
  const options = { abortSignal: scope.signal };
  try {
    const there = await client.send(new s3.HeadObjectCommand(target), options).catch(absent);
    if (there?.ContentLength !== spec.artifact.bytes.length) {
      const Body = spec.artifact.bytes;
      await client.send(
        new s3.PutObjectCommand({ ...target, Body, ContentType: 'application/zip' }),
        options,
      );
    }
    return { bucket, key };
  } catch (cause) {
    throw scope.reason ?? failed(cause, spec, bucket);
  } finally {
    client.destroy();
  }
}

/** Without the permission to list the bucket, S3 says 403 for what is not there: the upload itself will tell. */
function absent(error: { $metadata?: { httpStatusCode?: number } }): undefined {
  const status = error.$metadata?.httpStatusCode;
  if (status !== 404 && status !== 403) throw error;
}

function failed(cause: unknown, { functionName }: FunctionSpec, bucket: string): FaasError {
  const { name = 'Error', $metadata } = cause as { name?: string; $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode;
  const code = status === 403 ? 'AUTH' : status === 404 ? 'CONFIG' : 'UNAVAILABLE';
  const message = `The package could not be put into the bucket ${bucket} (${name}${status === undefined ? '' : `, HTTP ${status}`}). Check the bucket and the permission s3:PutObject.`;
  return new FaasError({ code, executed: 'no', provider: PROVIDER, functionName, status, message });
}
