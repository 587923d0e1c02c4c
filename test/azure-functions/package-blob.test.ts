/** What the upload of a package for the plan `consumption` makes of a storage account that refuses, fails or is silent. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { callContext } from '../../src/core/scope.js';
import { uploadPackage } from '../../src/executors/azure-functions/package-blob.js';
import { STORAGE_KEY } from '../fakes/azure-resources.js';
import { artifact, failureOf } from './setup.js';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function storage(answer: RequestListener): Promise<{ connectionString: string }> {
  const opened = createServer(answer);
  server = opened;
  await new Promise<void>((resolve) => opened.listen(0, '127.0.0.1', resolve));
  const blob = `http://127.0.0.1:${(opened.address() as AddressInfo).port}/acc`;
  const connectionString = `DefaultEndpointsProtocol=http;AccountName=acc;AccountKey=${STORAGE_KEY};BlobEndpoint=${blob}`;
  return { connectionString };
}

const spec = { artifact, container: 'job-1' };

it.each([
  [403, 'AuthorizationFailure', 'AUTH'],
  [404, 'ContainerNotFound', 'NOT_FOUND'],
  [409, 'AccountBeingCreated', 'CONFLICT'],
])('%i (%s) is %s, and no key is shown', async (status, azureCode, code) => {
  const ground = await storage((_, response) => {
    const body = `<?xml version="1.0"?><Error><Code>${azureCode}</Code><Message>Azure’s words</Message></Error>`;
    const headers = { 'content-type': 'application/xml', 'x-ms-error-code': azureCode };
    response.writeHead(status, headers).end(body);
  });
  const error = await failureOf(uploadPackage(spec, ground, callContext()));
  expect(error).toMatchObject({ name: 'FaasError', code, executed: 'no', status });
  expect(error.message).toContain(azureCode);
  expect(JSON.stringify(error) + error.stack + String(error.cause)).not.toMatch(/SharedKey|c3RvcmFnZ/);
});

it('an outage and a broken connection are waited out', async () => {
  let tries = 0;
  const ground = await storage((request, response) => {
    tries += 1;
    if (tries === 1) return void response.writeHead(503).end();
    if (tries === 2) return void request.socket.destroy();
    request.resume().on('end', () => response.writeHead(201, { etag: '"1"' }).end());
  });
  expect(await uploadPackage(spec, ground, callContext())).toContain(`${artifact.sha256}.zip?`);
  expect(tries).toBe(3);
});

it('one that never answers ends with the deploy', async () => {
  const ground = await storage(() => {});
  const error = await failureOf(uploadPackage(spec, ground, callContext({ timeoutMs: 200 })));
  expect(error).toMatchObject({ code: 'TIMEOUT', executed: 'no' });
});
