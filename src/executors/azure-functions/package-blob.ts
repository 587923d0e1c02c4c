/** For the plan `consumption`: the package as a blob, and an address of it that the host can read without a login. */
import { importPeer } from '../shared/peers.js';
import type { Ground } from './app-shape.js';
import type { AppSpec } from './app-spec.js';

/** The host reads the package again at each start, as long as the app lives. */
const READABLE_YEARS = 20;

/** @returns an address with a signature in it: a secret */
export async function uploadPackage(
  { artifact, container }: AppSpec,
  { connectionString }: Pick<Ground, 'connectionString'>,
): Promise<string> {
  const sdk = await importPeer(
    'AzureFunctionExecutor',
    '@azure/storage-blob',
    () => import('@azure/storage-blob'),
  );
  const service = sdk.BlobServiceClient.fromConnectionString(connectionString);
  const blob = service.getContainerClient(container).getBlockBlobClient(`${artifact.sha256}.zip`);
  const contentType = 'application/zip';
  await blob.upload(artifact.bytes, artifact.bytes.length, {
    blobHTTPHeaders: { blobContentType: contentType },
  });
  const expiresOn = new Date();
  expiresOn.setUTCFullYear(expiresOn.getUTCFullYear() + READABLE_YEARS);
  return blob.generateSasUrl({ permissions: sdk.BlobSASPermissions.parse('r'), expiresOn });
}
