/** The token service that Azure gives to apps with a managed identity: an address and a secret in the environment. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface IdentityService {
  /** Where credentials look for it. */
  readonly env: { readonly IDENTITY_ENDPOINT: string; readonly IDENTITY_HEADER: string };
  /** The audiences that were asked for. */
  readonly resources: string[];
  [Symbol.asyncDispose](): Promise<void>;
}

const SECRET = 'identity-header-secret';

export async function identityService(tokenFor: (resource: string) => string): Promise<IdentityService> {
  const resources: string[] = [];
  const server = createServer((incoming, outgoing) => {
    const url = new URL(incoming.url ?? '', 'http://identity');
    const resource = url.searchParams.get('resource') ?? '';
    if (incoming.headers['x-identity-header'] !== SECRET || resource === '') {
      outgoing.writeHead(401).end('{"error":"invalid"}');
      return;
    }
    resources.push(resource);
    const token = {
      access_token: tokenFor(resource),
      expires_on: String(Math.floor(Date.now() / 1000) + 3600),
      resource,
      token_type: 'Bearer',
    };
    outgoing.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(token));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    env: { IDENTITY_ENDPOINT: `http://127.0.0.1:${port}/msi/token`, IDENTITY_HEADER: SECRET },
    resources,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
