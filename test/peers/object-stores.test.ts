/** Object stores against moto's S3 and Azurite, implementations that are not ours. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { BlobServiceClient } from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AzureBlobStore, type ObjectStore, S3Store } from '../../src/objects/index.js';
import { prefixOf, type Strangers, storeSuite } from '../objects/store-suite.js';
import { cacheFolder, freePort, type Program, pythonWith, start } from './programs.js';

let count = 0;
const prefix = () => {
  count += 1;
  return `jobs/${count}/`;
};

describe('S3, as moto has it', () => {
  const region = 'eu-central-1';
  let moto: Program;
  let client: S3Client;
  let endpoint: string;

  beforeAll(async () => {
    const python = await pythonWith('moto[server]==5.2.5');
    const port = await freePort();
    endpoint = `http://127.0.0.1:${port}`;
    const isUp = async () => (await fetch(`${endpoint}/moto-api/data.json`)).ok;
    moto = await start(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], {}, isUp);
    const credentials = { accessKeyId: 'AKIDMOTO', secretAccessKey: 'moto' };
    process.env['AWS_ACCESS_KEY_ID'] = credentials.accessKeyId;
    process.env['AWS_SECRET_ACCESS_KEY'] = credentials.secretAccessKey;
    client = new S3Client({ region, endpoint, forcePathStyle: true, credentials });
    await client.send(
      new CreateBucketCommand({
        Bucket: 'claims',
        CreateBucketConfiguration: { LocationConstraint: region },
      }),
    );
  });
  afterAll(async () => {
    delete process.env['AWS_ACCESS_KEY_ID'];
    delete process.env['AWS_SECRET_ACCESS_KEY'];
    client?.destroy();
    await moto?.stop();
  });

  const strangers: Strangers = {
    async put(store, name) {
      const Key = prefixOf(store) + name;
      await client.send(new PutObjectCommand({ Bucket: 'claims', Key, Body: 'theirs' }));
    },
    has: (store, name) =>
      client.send(new HeadObjectCommand({ Bucket: 'claims', Key: prefixOf(store) + name })).then(
        () => true,
        () => false,
      ),
  };
  storeSuite(() => new S3Store({ bucket: 'claims', prefix: prefix(), region, endpoint }), strangers);

  it('no upload in parts is left open', async () => {
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: 'claims' }));
    expect(Uploads).toEqual([]);
  });
});

describe('Azure Blob Storage, as Azurite has it', () => {
  // Azurite's own account, which its documentation publishes.
  const account = 'devstoreaccount1';
  const key = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';
  let azurite: Program;
  let folder: string;

  beforeAll(async () => {
    const command = join(cacheFolder, 'azurite', 'node_modules', '.bin', 'azurite-blob');
    if (!existsSync(command)) throw new Error(`${command} is missing: run scripts/peers.sh.`);
    folder = await mkdtemp(join(tmpdir(), 'jobferry-azurite-'));
    const port = await freePort();
    const args = ['--blobPort', String(port), '--location', folder, '--skipApiVersionCheck', '--silent'];
    const isUp = async () => (await fetch(`http://127.0.0.1:${port}/`)).status > 0;
    azurite = await start(command, args, {}, isUp);
    const blobEndpoint = `http://127.0.0.1:${port}/${account}`;
    const connection = `DefaultEndpointsProtocol=http;AccountName=${account};AccountKey=${key};BlobEndpoint=${blobEndpoint};`;
    process.env['AZURE_STORAGE_CONNECTION_STRING'] = connection;
    await BlobServiceClient.fromConnectionString(connection).createContainer('claims');
  });
  afterAll(async () => {
    delete process.env['AZURE_STORAGE_CONNECTION_STRING'];
    await azurite?.stop();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  const connectionOf = () => {
    const connectionString = process.env['AZURE_STORAGE_CONNECTION_STRING'];
    if (connectionString === undefined) throw new Error('Azurite does not run.');
    return connectionString;
  };
  const blobOf = (store: ObjectStore, name: string) =>
    BlobServiceClient.fromConnectionString(connectionOf())
      .getContainerClient('claims')
      .getBlockBlobClient(prefixOf(store) + name);
  const strangers: Strangers = {
    put: async (store, name) => void (await blobOf(store, name).upload('theirs', 6)),
    has: (store, name) => blobOf(store, name).exists(),
  };
  storeSuite(
    () =>
      new AzureBlobStore({
        account,
        container: 'claims',
        prefix: prefix(),
        connectionString: connectionOf(),
      }),
    strangers,
  );
});
