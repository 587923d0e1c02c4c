/**
 * API keys: one small file each, so that a key can be made or revoked while a platform runs. A file holds the hash
 * of a 256-bit random secret, which is as good as the secret is long; the key itself is shown once and kept nowhere.
 */

import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { systemCode } from '../domain/errors.js';

/** `read`: see functions, calls and logs. `invoke`: call functions. `deploy`: change functions. */
export const KEY_RIGHTS = ['read', 'invoke', 'deploy'] as const;
export type KeyRight = (typeof KEY_RIGHTS)[number];

export interface KeyRecord {
  readonly id: string;
  readonly name: string;
  readonly rights: readonly KeyRight[];
  /** RFC 3339, like all times here. */
  readonly createdAt: string;
  readonly expiresAt?: string;
  readonly revokedAt?: string;
}

export interface StoredKey extends KeyRecord {
  /** SHA-256 of the secret, in hex. */
  readonly secretSha256: string;
}

export interface KeyFolder {
  /** The data folder of the platform; default `.jobferry`. */
  readonly dataDir?: string;
}

export interface CreateKeyOptions extends KeyFolder {
  /** For whom or what it is: 1 to 100 characters. */
  readonly name: string;
  /** Default all. */
  readonly rights?: readonly KeyRight[];
  readonly expiresAt?: Date;
}

export interface CreatedKey extends KeyRecord {
  /** `faas_<id>_<secret>`: what a client sends. It cannot be read again. */
  readonly key: string;
}

const KEY_ID = /^[a-z0-9]{12}$/;
const KEY = /^faas_([a-z0-9]{12})_([A-Za-z0-9_-]{43})$/;

/**
 * Makes a key; a running platform takes it at once.
 * @throws Error when the name or the rights cannot be used, and what the file system says
 */
export async function createKey(options: CreateKeyOptions): Promise<CreatedKey> {
  const { name, rights = KEY_RIGHTS, expiresAt } = options;
  if (name.trim() === '' || name.length > 100) throw new Error('A key needs a name of 1 to 100 characters.');
  const unknown = rights.find((right) => !KEY_RIGHTS.includes(right));
  if (unknown !== undefined || rights.length === 0)
    throw new Error(`The rights of a key are some of ${KEY_RIGHTS.join(', ')}.`);
  const secret = randomBytes(32).toString('base64url');
  const record: KeyRecord = {
    id: randomBytes(6).toString('hex'),
    name,
    rights,
    createdAt: new Date().toISOString(),
    ...(expiresAt !== undefined && { expiresAt: expiresAt.toISOString() }),
  };
  const folder = keyFolder(options);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await write(folder, { ...record, secretSha256: hashOf(secret).toString('hex') });
  return { ...record, key: `faas_${record.id}_${secret}` };
}

/** All keys, revoked and expired ones too, the oldest first. */
export async function listKeys(options: KeyFolder = {}): Promise<KeyRecord[]> {
  const folder = keyFolder(options);
  const names = await readdir(folder).catch((error) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  const ids = names.flatMap((name) => (name.endsWith('.json') ? [name.slice(0, -5)] : []));
  const keys = await Promise.all(ids.filter((id) => KEY_ID.test(id)).map((id) => readKey(folder, id)));
  return keys
    .filter((key) => key !== undefined)
    .map(({ secretSha256: _, ...record }) => record)
    .toSorted((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
}

/** Ends a key; running platforms refuse it within a second. False when there is no such key. Twice is fine. */
export async function revokeKey(options: KeyFolder & { readonly id: string }): Promise<boolean> {
  const folder = keyFolder(options);
  const key = KEY_ID.test(options.id) ? await readKey(folder, options.id) : undefined;
  if (key === undefined) return false;
  if (key.revokedAt === undefined) await write(folder, { ...key, revokedAt: new Date().toISOString() });
  return true;
}

export function keyFolder({ dataDir = '.jobferry' }: KeyFolder): string {
  return join(resolve(dataDir), 'keys');
}

/** The parts of a key as a client sent it; undefined when it is none of ours. */
export function parseKey(text: string): { readonly id: string; readonly secret: string } | undefined {
  const [, id, secret] = KEY.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

export function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

export function isUsable(key: KeyRecord, nowMs: number): boolean {
  const isOver = key.expiresAt !== undefined && Date.parse(key.expiresAt) <= nowMs;
  return key.revokedAt === undefined && !isOver;
}

/** @throws Error for a file that is damaged or cannot be read */
export async function readKey(folder: string, id: string): Promise<StoredKey | undefined> {
  try {
    const key = JSON.parse(await readFile(join(folder, `${id}.json`), 'utf8')) as Partial<StoredKey> | null;
    if (key?.id === id && /^[0-9a-f]{64}$/.test(key.secretSha256 ?? '') && Array.isArray(key.rights))
      return key as StoredKey;
    throw new Error(`The file of the key ${id} is damaged. Revoke it by removing the file.`);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Written aside and renamed: nobody reads half a key. */
async function write(folder: string, key: StoredKey): Promise<void> {
  const file = join(folder, `${key.id}.json`);
  const aside = `${file}.${randomBytes(4).toString('hex')}`;
  await using handle = await open(aside, 'wx', 0o600);
  await handle.writeFile(`${JSON.stringify(key, undefined, 2)}\n`);
  await handle.sync();
  await rename(aside, file);
}
