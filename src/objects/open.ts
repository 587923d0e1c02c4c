/** One line of text -> a store: what stands in the environment of a function. */
import { fileURLToPath } from 'node:url';
import { FaasError } from '../core/errors.js';
import type { ObjectStore } from '../core/object-store.js';

/** Where a function finds the store of its claims. */
export const CLAIM_STORE = 'JOBFERRY_CLAIM_STORE';

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Opens `file:///folder`, `s3://bucket/prefix?region=…&endpoint=…`, `gs://bucket/prefix`, or
 * `azblob://container/prefix?account=…`. Credentials come from where each cloud's own package looks for them, Azure's
 * from AZURE_STORAGE_CONNECTION_STRING first; a URL holds none.
 * @throws {FaasError} CONFIG for anything else
 */
export async function openObjectStore(url: string, env: Env = process.env): Promise<ObjectStore> {
  // Not URL.parse: functions run this on Node.js 18, too.
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined) throw config(`${JSON.stringify(url.slice(0, 80))} is no URL`);
  if (parsed.username !== '' || parsed.password !== '')
    throw config('a URL of a store must not hold credentials');
  const { protocol, hostname } = parsed;
  const prefix = decodeURIComponent(parsed.pathname.slice(1));
  const option = (name: string) => {
    const value = parsed.searchParams.get(name);
    return value === null ? {} : { [name]: value };
  };
  if (protocol !== 'file:' && hostname === '') throw config(`${protocol}// must name a bucket or container`);
  // Loaded one by one: a function needs one of them.
  switch (protocol) {
    case 'file:':
      return new (await import('./folder-store.js')).FolderStore(fileURLToPath(parsed));
    case 's3:': {
      const { S3Store } = await import('./s3-store.js');
      return new S3Store({ bucket: hostname, prefix, ...option('region'), ...option('endpoint') });
    }
    case 'gs:': {
      const { GcsStore } = await import('./gcs-store.js');
      return new GcsStore({ bucket: hostname, prefix, ...option('endpoint') });
    }
    case 'azblob:': {
      const { AzureBlobStore } = await import('./azure-blob-store.js');
      const account = parsed.searchParams.get('account');
      if (account === null) throw config('azblob:// needs ?account=');
      const connectionString = env['AZURE_STORAGE_CONNECTION_STRING'];
      return new AzureBlobStore({
        account,
        container: hostname,
        prefix,
        ...(connectionString !== undefined && { connectionString }),
      });
    }
    default:
      throw config(`${protocol}// is no store`);
  }
}

let opened: Promise<ObjectStore> | undefined;

/**
 * The store that the environment names, opened once: what a handler reads its claims from.
 * @throws {FaasError} CONFIG when JOBFERRY_CLAIM_STORE is not set, or makes no sense
 */
export function claimStore(): Promise<ObjectStore> {
  opened ??= openClaimStore();
  return opened;
}

async function openClaimStore(): Promise<ObjectStore> {
  const url = process.env[CLAIM_STORE];
  if (url !== undefined && url !== '') return openObjectStore(url);
  throw new FaasError({
    code: 'CONFIG',
    executed: 'no',
    message: `This function got a claim and has no store to fetch it from. Deploy it with ${CLAIM_STORE} in its environment: the url of the store that the caller uses.`,
  });
}

function config(what: string): FaasError {
  return new FaasError({
    code: 'CONFIG',
    executed: 'no',
    message: `No object store: ${what}. Use file:///folder, s3://bucket/prefix, gs://bucket/prefix or azblob://container/prefix?account=name.`,
  });
}
