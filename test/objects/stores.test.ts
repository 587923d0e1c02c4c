import { randomUUID } from 'node:crypto';
import { access, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  FolderStore,
  GcsStore,
  openObjectStore,
  providePeer,
  putClaim,
  S3Store,
  sweeper,
} from '../../src/objects/index.js';
import { importPeer } from '../../src/objects/peers.js';
import { fakeLambda, KEYS, REGION } from '../fakes/aws-lambda.js';
import { type FakeGcs, fakeGcs, TOKEN } from '../fakes/gcs.js';
import { errorOf } from '../layers/invokers.js';
import { prefixOf, type Strangers, storeSuite } from './store-suite.js';

let folder: string;
let gcs: FakeGcs;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-objects-'));
  gcs = await fakeGcs();
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await gcs[Symbol.asyncDispose]();
});

describe('a folder', () => {
  let count = 0;
  const pathOf = (url: string, name: string) => join(fileURLToPath(url), name);
  const strangers: Strangers = {
    async put({ url }, name) {
      await mkdir(dirname(pathOf(url, name)), { recursive: true });
      await writeFile(pathOf(url, name), 'theirs');
    },
    has: ({ url }, name) =>
      access(pathOf(url, name)).then(
        () => true,
        () => false,
      ),
  };
  storeSuite(() => {
    count += 1;
    return new FolderStore(join(folder, String(count)));
  }, strangers);

  it('shows no object before it is whole, and sweeps what a crash left', async () => {
    const path = join(folder, 'crash');
    const store = new FolderStore(path);
    await putClaim(store, Buffer.from('1'));
    await writeFile(join(path, `.unfinished-${randomUUID()}`), 'half');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await store.sweep(0.01)).toBe(2);
    expect(await readdir(path)).toEqual([]);
  });
});

describe('Google Cloud Storage', () => {
  const open = () =>
    new GcsStore({
      bucket: gcs.bucket,
      prefix: `jobs/${Math.random()}/`,
      endpoint: gcs.endpoint,
      accessToken: async () => TOKEN,
    });
  const strangers: Strangers = {
    async put(store, name) {
      const object = { bytes: Buffer.from('theirs'), updated: new Date(0).toISOString() };
      gcs.objects.set(prefixOf(store) + name, object);
    },
    has: async (store, name) => gcs.objects.has(prefixOf(store) + name),
  };
  storeSuite(open, strangers, false);

  it('forgets the upload of a stream that broke off', () => {
    expect(gcs.sessions.size).toBe(0);
  });

  it('sweeps page after page, and only under its prefix', async () => {
    const store = open();
    gcs.objects.set('of others', { bytes: Buffer.from('1'), updated: new Date(0).toISOString() });
    for (const text of ['a', 'b', 'c', 'd', 'e']) await putClaim(store, Buffer.from(text));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await store.sweep(0.001)).toBe(5);
    expect(gcs.objects.has('of others')).toBe(true);
  });

  it.each([
    [401, 'AUTH'],
    [403, 'AUTH'],
    [429, 'THROTTLED'],
    [500, 'UNAVAILABLE'],
    [400, 'INVALID_REQUEST'],
  ])('HTTP %i is %s', async (status, code) => {
    gcs.failures.push(status);
    const error = await errorOf(open().put('x', Buffer.from('secret bytes')));
    expect(error).toMatchObject({ code, executed: 'no', status });
    expect(JSON.stringify(error)).not.toContain('secret');
    expect(JSON.stringify(error)).not.toContain(TOKEN);
  });

  it('takes what it may not look up for something to write', async () => {
    gcs.failures.push(403);
    const store = open();
    const claim = await putClaim(store, Buffer.from('no permission to list'));
    expect(await store.head(claim.claim)).toBeDefined();
  });

  it('nobody there is UNAVAILABLE', async () => {
    const store = new GcsStore({
      bucket: 'b',
      endpoint: 'http://127.0.0.1:1',
      accessToken: async () => TOKEN,
    });
    expect(await errorOf(store.head('x'))).toMatchObject({ code: 'UNAVAILABLE', executed: 'no' });
  });
});

describe('S3 without s3:ListBucket, where what is not there is 403', () => {
  const denied = { status: 403, body: '' };

  async function bench() {
    const fake = await fakeLambda();
    const client = new S3Client({
      region: REGION,
      endpoint: fake.url,
      forcePathStyle: true,
      credentials: KEYS,
      maxAttempts: 1,
    });
    return { fake, store: new S3Store({ bucket: 'claims', client }) };
  }

  it('stores a claim all the same', async () => {
    const { fake, store } = await bench();
    await using _ = fake;
    fake.fault('HeadObject', denied);
    const { claim } = await putClaim(store, Buffer.from('some bytes'));
    expect([...fake.objects.keys()]).toEqual([`claims/${claim}`]);
  });

  it('a real denial is AUTH, and a denied read says that the object may be gone', async () => {
    const { fake, store } = await bench();
    await using _ = fake;
    fake.fault('*', denied, 3);
    const error = await errorOf(putClaim(store, Buffer.from('some bytes')));
    expect(error).toMatchObject({ code: 'AUTH', executed: 'no', status: 403 });
    const unread = await errorOf(Array.fromAsync(store.get('gone')));
    expect(unread).toMatchObject({ code: 'AUTH', status: 403 });
    expect(unread.message).toContain('it is not there');
  });
});

describe('openObjectStore', () => {
  it('opens what its url says', async () => {
    expect((await openObjectStore('s3://bucket/pre/?region=eu-central-1')).url).toBe(
      's3://bucket/pre/?region=eu-central-1',
    );
    expect((await openObjectStore('gs://bucket/pre/')).url).toBe('gs://bucket/pre/');
    expect((await openObjectStore('azblob://box/pre/?account=acme')).url).toBe(
      'azblob://box/pre/?account=acme',
    );
  });

  it('needs nothing that Node.js 18 has not: functions open their store, too', async () => {
    const { parse } = URL;
    Object.assign(URL, { parse: undefined });
    try {
      expect((await openObjectStore('gs://bucket/pre/')).url).toBe('gs://bucket/pre/');
    } finally {
      Object.assign(URL, { parse });
    }
  });

  it.each(['nonsense', 'http://example.com', 's3://', 'azblob://box', 's3://key:secret@bucket'])(
    'refuses %s',
    async (url) => {
      const error = await errorOf(openObjectStore(url));
      expect(error.code).toBe('CONFIG');
      expect(error.message).not.toContain('secret');
    },
  );
});

describe('packages of the clouds', () => {
  it('a missing one is asked for by name', async () => {
    const error = await errorOf(importPeer('@jobferry/there-is-no-such-package'));
    expect(error).toMatchObject({ code: 'CONFIG', executed: 'no' });
    expect(error.message).toContain('npm install @jobferry/there-is-no-such-package');
  });

  it('one that was handed over is used', async () => {
    providePeer('handed-over', { here: true });
    expect(await importPeer('handed-over')).toEqual({ here: true });
  });

  it('none is loaded before a store is used', () => {
    expect(new S3Store({ bucket: 'b' }).url).toBe('s3://b/');
  });
});

describe('the sweeper', () => {
  it('sweeps until it is told to stop, and goes on after a failure', async () => {
    const store = new FolderStore(join(folder, 'swept'));
    await putClaim(store, Buffer.from('old'));
    const stop = new AbortController();
    const errors: unknown[] = [];
    let sweeps = 0;
    const unreliable = Object.assign(Object.create(store) as FolderStore, {
      sweep: async () => {
        sweeps += 1;
        if (sweeps === 1) throw new Error('not now');
        stop.abort();
        return 0;
      },
    });
    await sweeper({ store: unreliable, everySecs: 0.01, onError: (error) => errors.push(error) })({
      signal: stop.signal,
    });
    expect([sweeps, errors.length]).toEqual([2, 1]);
  });
});
