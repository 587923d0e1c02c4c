/**
 * A client of others against our OpenFaaS door: npm's `openfaas-client`, generated from OpenFaaS's own description of its
 * gateway. (faas-cli would be better: its modules cannot be had from the registries that CI reaches.)
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKey, type Platform, startPlatform } from '../../platform/src/index.js';
import { cacheFolder } from './programs.js';

type Reply = Promise<{
  response: { statusCode: number; headers: Record<string, string>; body: unknown };
  body: unknown;
}>;

/** As much of it as is used. */
interface GatewayClient {
  healthzGet(): Reply;
  systemInfoGet(): Reply;
  systemFunctionsGet(): Reply;
  systemFunctionsPost(body: object): Reply;
  systemFunctionsPut(body: object): Reply;
  systemFunctionsDelete(body: object): Reply;
  systemScaleFunctionFunctionNamePost(name: string, input: object): Reply;
  systemSecretsGet(): Reply;
  systemSecretsPost(body: object): Reply;
  systemSecretsPut(body: object): Reply;
  systemSecretsDelete(body: object): Reply;
  functionFunctionNamePost(name: string, input: string): Reply;
  asyncFunctionFunctionNamePost(name: string, input: string): Reply;
}

let folder: string;
let platform: Platform;
let client: GatewayClient;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-openfaas-'));
  const { key } = await createKey({
    dataDir: folder,
    name: 'client',
    rights: ['read', 'invoke', 'deploy'],
  });
  platform = await startPlatform({ port: 0, dataDir: folder, requireKey: true });
  client = clientOf(key);
});
afterAll(async () => {
  await platform?.close();
  await rm(folder, { recursive: true, force: true });
});

/** The description names no security for its operations, so the client has to be told to send what it knows. */
function clientOf(password: string): GatewayClient {
  const load = createRequire(join(cacheFolder, 'openfaas-client', 'index.js'));
  const { DefaultApi, HttpBasicAuth } = load('openfaas-client') as {
    DefaultApi: new (url: string) => GatewayClient & { setDefaultAuthentication(auth: object): void };
    HttpBasicAuth: new () => object;
  };
  const made = new DefaultApi(platform.url);
  made.setDefaultAuthentication(Object.assign(new HttpBasicAuth(), { username: 'admin', password }));
  return made;
}

const statusOf = async (reply: Reply) => (await reply).response.statusCode;
/** It rejects what is no 2xx. */
const refusal = (reply: Reply) =>
  reply.then(
    () => undefined,
    (error: { statusCode?: number; response?: { statusCode: number } }) =>
      error.statusCode ?? error.response?.statusCode,
  );

async function ready(service: string): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const { body } = await client.systemFunctionsGet();
    const found = (body as { name: string; availableReplicas?: number }[]).find(
      ({ name }) => name === service,
    );
    if ((found?.availableReplicas ?? 0) > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${service} did not become ready`);
}

describe('openfaas-client', () => {
  it('is let in with a user and a password that is a key, and not with another', async () => {
    expect(await statusOf(client.healthzGet())).toBe(200);
    expect((await client.systemInfoGet()).body).toMatchObject({ provider: expect.anything() });
    expect(await refusal(clientOf('wrong').systemFunctionsGet())).toBe(401);
  });

  it('deploys, calls, queues, scales, replaces and removes a function', async () => {
    const wanted = { service: 'cat', image: 'none', envProcess: 'cat' };
    expect(await statusOf(client.systemFunctionsPost(wanted))).toBe(202);
    await ready('cat');
    expect((await client.functionFunctionNamePost('cat', 'hello')).body).toContain('hello');
    const queued = await client.asyncFunctionFunctionNamePost('cat', 'later');
    expect(queued.response.statusCode).toBe(202);
    expect(queued.response.headers['x-call-id']).toMatch(/\S/);
    // As an object: a text would be sent as a JSON string.
    const scale = { serviceName: 'cat', replicas: 2 };
    expect(await statusOf(client.systemScaleFunctionFunctionNamePost('cat', scale))).toBe(202);
    expect(await statusOf(client.systemFunctionsPut({ ...wanted, envVars: { LEVEL: '9' } }))).toBe(202);
    expect((await client.systemFunctionsGet()).body).toMatchObject([{ name: 'cat', image: 'none' }]);
    expect(await statusOf(client.systemFunctionsDelete({ functionName: 'cat' }))).toBe(202);
    expect(await refusal(client.systemFunctionsDelete({ functionName: 'cat' }))).toBe(404);
    expect(await refusal(client.functionFunctionNamePost('cat', 'hello'))).toBe(404);
  });

  it('keeps secrets, and never gets a value back', async () => {
    expect(await statusOf(client.systemSecretsPost({ name: 'db', value: 'one' }))).toBeLessThan(300);
    expect(await statusOf(client.systemSecretsPut({ name: 'db', value: 'two' }))).toBeLessThan(300);
    // What came, not what the client makes of it: the description has one secret there, the gateway a list.
    const { response } = await client.systemSecretsGet();
    expect(response.body).toMatchObject([{ name: 'db' }]);
    expect(JSON.stringify(response.body)).not.toMatch(/one|two/);
    expect(await statusOf(client.systemSecretsDelete({ name: 'db' }))).toBeLessThan(300);
    expect(await refusal(client.systemSecretsDelete({ name: 'db' }))).toBe(404);
  });
});
