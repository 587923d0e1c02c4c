/** One line of text -> where the state is kept. */
import { FaasError } from '../../core/errors.js';
import type { StateBackend } from './backend.js';
import { FileBackend } from './file-backend.js';

/**
 * A path, `s3://bucket/key?region=…&endpoint=…`, or `postgres://…?workspace=…`.
 * @throws {FaasError} CONFIG for anything else
 */
export async function openStateBackend(address: string): Promise<StateBackend> {
  const [, scheme] = /^([a-z][a-z0-9+.-]+):\/\//.exec(address) ?? [];
  if (scheme === undefined) return new FileBackend(address);
  if (!URL.canParse(address)) {
    // Not shown: it may hold a password.
    throw config(
      `The place of the state begins with ${scheme}:// and is no URL. Is a character of its password not encoded?`,
    );
  }
  const url = new URL(address);
  switch (scheme) {
    case 's3': {
      const { S3Backend } = await import('./s3-backend.js');
      const [region, endpoint] = [url.searchParams.get('region'), url.searchParams.get('endpoint')];
      const key = decodeURIComponent(url.pathname.slice(1)) || 'jobferry.state.json';
      return new S3Backend({
        bucket: url.hostname,
        key,
        ...(region && { region }),
        ...(endpoint && { endpoint }),
      });
    }
    case 'postgres':
    case 'postgresql': {
      const { PostgresBackend } = await import('./postgres-backend.js');
      const workspace = url.searchParams.get('workspace');
      url.searchParams.delete('workspace');
      return new PostgresBackend({ connectionString: url.href, ...(workspace && { workspace }) });
    }
    default:
      throw config(`A state cannot be kept at ${scheme}://. Use a path, s3://bucket/key or postgres://…`);
  }
}

function config(message: string): FaasError {
  return new FaasError({ code: 'CONFIG', executed: 'no', message });
}
