/** What every object store promises. Each store's test brings one that is empty. */
import { createHash, randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import {
  type ObjectStore,
  openObjectStore,
  putClaim,
  readClaim,
  readClaimBytes,
} from '../../src/objects/index.js';
import { errorOf } from '../layers/invokers.js';

const MIB = 1024 * 1024;

export async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(store: ObjectStore, key: string): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(store.get(key)));
}

/** A store's way to objects that are not ours, under names which the store itself would refuse. */
export interface Strangers {
  put(store: ObjectStore, name: string): Promise<void>;
  has(store: ObjectStore, name: string): Promise<boolean>;
}

/** What stands before every key. */
export function prefixOf({ url }: ObjectStore): string {
  return decodeURIComponent(new URL(url).pathname.slice(1));
}

/** @param reopens false where credentials come from the options alone */
export function storeSuite(open: () => ObjectStore, strangers: Strangers, reopens = true): void {
  it('keeps any bytes, none and many', async () => {
    const store = open();
    for (const bytes of [new Uint8Array(0), Uint8Array.of(0, 255, 13, 10), randomBytes(3 * MIB)]) {
      await store.put('some.bytes', bytes);
      expect((await read(store, 'some.bytes')).equals(bytes)).toBe(true);
      expect((await store.head('some.bytes'))?.bytes).toBe(bytes.length);
    }
  });

  it('keeps a stream of any length: empty, under a part, exactly one and two parts, and over', async () => {
    const store = open();
    for (const length of [0, 1000, 8 * MIB, 16 * MIB, 17 * MIB + 3]) {
      const bytes = randomBytes(length);
      const claim = await putClaim(store, chunksOf(bytes, 700_001));
      expect(claim.bytes).toBe(length);
      expect(claim.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
      expect(Buffer.from(await readClaimBytes(store, claim)).equals(bytes)).toBe(true);
    }
  });

  it('a stream that breaks off leaves nothing', async () => {
    const store = open();
    const broken = async function* () {
      yield new Uint8Array(9 * MIB);
      yield new Uint8Array(9 * MIB);
      throw new Error('the source broke');
    };
    await expect(store.put('broken', broken())).rejects.toThrow(/the source broke/);
    expect(await store.head('broken')).toBeUndefined();
  });

  it('names bytes by their hash and writes them once', async () => {
    const store = open();
    const bytes = randomBytes(100);
    const first = await putClaim(store, bytes);
    const writtenAt = (await store.head(first.claim))?.writtenAt;
    expect(first.claim).toBe(createHash('sha256').update(bytes).digest('hex'));
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect(await putClaim(store, bytes, { ttlSecs: 3600 })).toEqual(first);
    expect((await store.head(first.claim))?.writtenAt).toEqual(writtenAt);
    // Past half of its time to live it is written again, so that no sweep takes it under way.
    await putClaim(store, bytes, { ttlSecs: 1 });
    expect((await store.head(first.claim))?.writtenAt.getTime()).toBeGreaterThan(Number(writtenAt));
  });

  it('says clearly when an object is not there', async () => {
    const store = open();
    const error = await errorOf(read(store, 'nowhere'));
    expect(error).toMatchObject({ code: 'NOT_FOUND', executed: 'no' });
    expect(error.message).toContain('nowhere');
    expect(await store.head('nowhere')).toBeUndefined();
    await store.delete('nowhere');
  });

  it('refuses bytes with another hash, or another length', async () => {
    const store = open();
    const claim = await putClaim(store, Buffer.from('the right bytes'));
    await store.put(claim.claim, Buffer.from('the wrong bytes'));
    expect(await errorOf(readClaimBytes(store, claim))).toMatchObject({ code: 'PROTOCOL', executed: 'no' });
    await store.put(claim.claim, Buffer.from('the right bytes and more'));
    expect(await errorOf(readClaimBytes(store, claim))).toMatchObject({ code: 'PROTOCOL' });
    await store.put(claim.claim, Buffer.from('the right'));
    expect(await errorOf(Array.fromAsync(readClaim(store, claim)))).toMatchObject({ code: 'PROTOCOL' });
  });

  it.each(['../x', '/etc/passwd', 'a/b', '.hidden', '', 'a'.repeat(200), 'a\0b', 'a..b'])(
    'takes %j for no name of an object',
    async (key) => {
      const store = open();
      const refused = { code: 'INVALID_REQUEST', executed: 'no' };
      expect(await errorOf(store.put(key, new Uint8Array(1)))).toMatchObject(refused);
      expect(await errorOf(read(store, key))).toMatchObject(refused);
    },
  );

  it('sweeps what is older than told, and nothing else', async () => {
    const store = open();
    const theirs = ['payroll.xlsx', 'invoices/2024.pdf', '.profile', `archive-${'0'.repeat(64)}`];
    for (const name of theirs) await strangers.put(store, name);
    const old = await putClaim(store, Buffer.from('1'));
    const oldStream = await putClaim(store, chunksOf(Buffer.from('stream'), 2));
    await new Promise((resolve) => setTimeout(resolve, 2100));
    const young = await putClaim(store, Buffer.from('2'));
    expect(await store.sweep(3600)).toBe(0);
    expect(await store.sweep(1)).toBe(2);
    expect(await store.head(old.claim)).toBeUndefined();
    expect(await store.head(oldStream.claim)).toBeUndefined();
    expect(await store.head(young.claim)).toBeDefined();
    for (const name of theirs) expect([name, await strangers.has(store, name)]).toEqual([name, true]);
    await store.delete(young.claim);
    expect(await store.head(young.claim)).toBeUndefined();
  });

  it('gives up when nobody waits any more', async () => {
    const store = open();
    const signal = AbortSignal.abort();
    const endless = async function* () {
      for (;;) yield new Uint8Array(MIB);
    };
    expect(await errorOf(store.put('never', endless(), { signal }))).toMatchObject({
      code: 'CANCELLED',
      executed: 'no',
    });
  });

  if (!reopens) return;
  it('is opened again by its url', async () => {
    const store = open();
    const claim = await putClaim(store, Buffer.from('over there'));
    const again = await openObjectStore(store.url);
    expect(again.url).toBe(store.url);
    expect(Buffer.from(await readClaimBytes(again, claim)).toString()).toBe('over there');
  });
}
