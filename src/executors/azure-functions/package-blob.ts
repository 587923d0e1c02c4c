/** For the plan `consumption`: the package as a blob, and an address of it that the host can read without a login. */
import { FaasError } from '../../core/errors.js';
import type { CallScope } from '../../core/scope.js';
import { untilItWorks } from '../shared/control-retry.js';
import { importPeer } from '../shared/peers.js';
import type { Place } from '../shared/transport-error.js';
import type { Ground } from './app-shape.js';
import type { AppSpec } from './app-spec.js';
import { controlError } from './errors.js';
import { PROVIDER } from './options.js';

/** The host reads the package again at each start, as long as the app lives. */
const READABLE_YEARS = 20;

/**
 * May be repeated: it is the same blob each time.
 * @returns an address with a signature in it: a secret
 * @throws {FaasError} `executed: no`
 */
export async function uploadPackage(
  { artifact, container }: Pick<AppSpec, 'artifact' | 'container'>,
  { connectionString }: Pick<Ground, 'connectionString'>,
  scope: CallScope,
): Promise<string> {
  const sdk = await importPeer(
    'AzureFunctionExecutor',
    '@azure/storage-blob',
    () => import('@azure/storage-blob'),
  );
  // Repeating is decided here, by what the error means.
  const options = { retryOptions: { maxTries: 1 } };
  const service = sdk.BlobServiceClient.fromConnectionString(connectionString, options);
  const blob = service.getContainerClient(container).getBlockBlobClient(`${artifact.sha256}.zip`);
  const place = { provider: PROVIDER, functionName: container, origin: new URL(service.url).origin };
  await untilItWorks(scope, async () => {
    try {
      await blob.upload(artifact.bytes, artifact.bytes.length, {
        blobHTTPHeaders: { blobContentType: 'application/zip' },
        abortSignal: scope.signal,
      });
    } catch (thrown) {
      if (scope.reason !== undefined) throw scope.reason.with({ executed: 'no', provider: PROVIDER });
      throw storageError(thrown, place);
    }
  });
  const expiresOn = new Date();
  expiresOn.setUTCFullYear(expiresOn.getUTCFullYear() + READABLE_YEARS);
  return blob.generateSasUrl({ permissions: sdk.BlobSASPermissions.parse('r'), expiresOn });
}

/** The client's own error holds the request, with a signature made by the key: only its words are taken over. */
function storageError(thrown: unknown, place: Place): FaasError {
  const { statusCode, code, message } = thrown as { statusCode?: number; code?: string; message?: string };
  const said = { code, message: message?.split('\n', 1)[0] };
  if (statusCode !== undefined) {
    const body = Buffer.from(JSON.stringify({ error: said }));
    return controlError({ status: statusCode, headers: {}, body }, place);
  }
  const { provider, functionName, origin } = place;
  const text = `${origin} did not take the package (${functionName}: ${said.code ?? said.message ?? 'no reason'}).`;
  return new FaasError({ code: 'UNAVAILABLE', executed: 'no', provider, functionName, message: text });
}
