/** Lets a request in, or not, by its key: before its body is read, and without telling which part was wrong. */

import { timingSafeEqual } from 'node:crypto';

import { messageOf, PlatformError } from '../domain/errors.js';
import type { Log } from '../domain/log.js';
import { hashOf, isUsable, type KeyRight, listKeys, parseKey, readKey, type StoredKey } from './keys.js';

/** How long a key may be used without looking at its file again; a revocation takes effect within it. */
const CACHED_FOR_MS = 500;
const MAX_CACHED = 1000;
/** Compared when there is no such key, so that a wrong id takes as long as a wrong secret. */
const NO_HASH = Buffer.alloc(32);

export interface Guard {
  /** Is nobody let in without a key? */
  readonly needsKey: boolean;
  /**
   * @param rights one of these is needed; any key will do where there are none
   * @throws PlatformError UNAUTHORIZED without a valid key, FORBIDDEN when it lacks the right
   */
  admit(authorization: string | undefined, rights: readonly KeyRight[]): Promise<void>;
}

/** Everybody may do everything: for a platform that only this machine can reach. */
export const openGuard: Guard = { needsKey: false, async admit() {} };

export class KeyGuard implements Guard {
  readonly needsKey = true;
  readonly #folder: string;
  readonly #log: Log;
  readonly #cache = new Map<string, { readonly key: StoredKey | undefined; readonly readAt: number }>();

  /** @param folder of the key files */
  constructor(folder: string, log: Log) {
    this.#folder = folder;
    this.#log = log;
  }

  async admit(authorization: string | undefined, rights: readonly KeyRight[]): Promise<void> {
    const sent = parseKey(/^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1] ?? '');
    const key = sent === undefined ? undefined : await this.#find(sent.id);
    const expected = key === undefined ? NO_HASH : Buffer.from(key.secretSha256, 'hex');
    const given = hashOf(sent?.secret ?? '');
    const isSame = expected.length === given.length && timingSafeEqual(expected, given);
    if (key === undefined || !isSame || !isUsable(key, Date.now())) {
      throw new PlatformError(
        'UNAUTHORIZED',
        'A valid key is needed: send it as "Authorization: Bearer faas_…".',
      );
    }
    if (rights.length > 0 && !rights.some((right) => key.rights.includes(right)))
      throw new PlatformError('FORBIDDEN', `The key ${key.id} lacks the right to ${rights.join(' or ')}.`);
  }

  async #find(id: string): Promise<StoredKey | undefined> {
    const cached = this.#cache.get(id);
    const now = performance.now();
    if (cached !== undefined && now - cached.readAt < CACHED_FOR_MS) return cached.key;
    // A file that cannot be read lets nobody in.
    const key = await readKey(this.#folder, id).catch((error) => {
      this.#log('error', 'key-unreadable', { keyId: id, error: messageOf(error) });
      return undefined;
    });
    if (this.#cache.size >= MAX_CACHED) this.#cache.clear();
    this.#cache.set(id, { key, readAt: now });
    return key;
  }
}

/** For doors whose clients send a user and a password: the password is the key, whoever the user is. */
export function passwordAsKey(authorization: string | undefined): string | undefined {
  const [, sent] = /^Basic +(\S+) *$/i.exec(authorization ?? '') ?? [];
  if (sent === undefined) return authorization;
  const [, password = ''] = /^[^:]*:(.*)$/s.exec(Buffer.from(sent, 'base64').toString('utf8')) ?? [];
  return `Bearer ${password}`;
}

/**
 * @param isExposed can other machines reach the address?
 * @throws Error when it is and nobody has a key
 */
export async function chooseGuard(
  dataDir: string,
  folder: string,
  isExposed: boolean,
  requireKey: boolean | undefined,
  log: Log,
): Promise<Guard> {
  if (!(requireKey ?? isExposed)) {
    if (!isExposed) return openGuard;
    throw new Error('requireKey cannot be false here: anybody who reaches the address could run code.');
  }
  const keys = await listKeys({ dataDir });
  if (keys.some((key) => isUsable(key, Date.now()))) return new KeyGuard(folder, log);
  throw new Error(
    `The platform demands keys, and ${folder} holds none that can be used. Make one with: jobferry keys create NAME --data ${dataDir} (or createKey({ dataDir, name })), or listen on 127.0.0.1 without requireKey.`,
  );
}
