/**
 * Secrets: one file each, mode 0600, in a folder for each namespace. They are not encrypted; whoever can read the data
 * folder as the platform's user can read them. A value goes into instances and nowhere else: no reply, no log, no error.
 */

import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { PlatformError, systemCode } from '../domain/errors.js';

export interface SecretRecord {
  readonly name: string;
  readonly namespace: string;
  /** RFC 3339. */
  readonly createdAt: string;
}

interface StoredSecret extends SecretRecord {
  /** In base64. */
  readonly value: string;
}

/** A DNS subdomain: it is a file name too, here and in the instance. */
const NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const MAX_VALUE_BYTES = 1024 * 1024;

export class SecretStore {
  readonly #folder: string;

  /** @param folder made when the first secret comes */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** In the order of their names. */
  async list(namespace: string): Promise<SecretRecord[]> {
    const files = await readdir(this.#folderOf(namespace)).catch((error) => {
      if (systemCode(error) === 'ENOENT') return [];
      throw error;
    });
    const names = files.flatMap((file) => (file.endsWith('.json') ? [file.slice(0, -5)] : [])).toSorted();
    const secrets = await Promise.all(names.map((name) => this.#read(namespace, name)));
    return secrets.flatMap((secret) => {
      if (secret === undefined) return [];
      const { value: _, ...record } = secret;
      return [record];
    });
  }

  async has(namespace: string, name: string): Promise<boolean> {
    return NAME.test(name) && (await this.#read(namespace, name)) !== undefined;
  }

  /** For the instances alone. @throws PlatformError NOT_FOUND */
  async value(namespace: string, name: string): Promise<Buffer> {
    const secret = NAME.test(name) ? await this.#read(namespace, name) : undefined;
    if (secret === undefined) throw missing(namespace, name);
    return Buffer.from(secret.value, 'base64');
  }

  /** @throws PlatformError INVALID_NAME, PAYLOAD_TOO_LARGE, CONFLICT when it is there */
  async create(namespace: string, name: string, value: Uint8Array): Promise<SecretRecord> {
    check(name, value);
    if (await this.has(namespace, name))
      throw new PlatformError('CONFLICT', `There is a secret ${name} in ${namespace} already.`);
    return this.#write({ namespace, name, createdAt: new Date().toISOString() }, value);
  }

  /** @throws PlatformError NOT_FOUND, PAYLOAD_TOO_LARGE */
  async update(namespace: string, name: string, value: Uint8Array): Promise<SecretRecord> {
    const known = NAME.test(name) ? await this.#read(namespace, name) : undefined;
    if (known === undefined) throw missing(namespace, name);
    check(name, value);
    return this.#write({ namespace, name, createdAt: known.createdAt }, value);
  }

  /** @throws PlatformError NOT_FOUND */
  async delete(namespace: string, name: string): Promise<void> {
    if (!(await this.has(namespace, name))) throw missing(namespace, name);
    await rm(this.#fileOf(namespace, name), { force: true });
  }

  async #read(namespace: string, name: string): Promise<StoredSecret | undefined> {
    try {
      return JSON.parse(await readFile(this.#fileOf(namespace, name), 'utf8')) as StoredSecret;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      // The parser's own message could quote the value.
      throw new PlatformError('INFRASTRUCTURE_ERROR', `The file of the secret ${name} cannot be read.`);
    }
  }

  /** Written aside and renamed: nobody reads half a secret. */
  async #write(record: SecretRecord, value: Uint8Array): Promise<SecretRecord> {
    const { namespace, name } = record;
    await mkdir(this.#folderOf(namespace), { recursive: true, mode: 0o700 });
    const file = this.#fileOf(namespace, name);
    const aside = `${file}.${randomBytes(4).toString('hex')}`;
    await using handle = await open(aside, 'wx', 0o600);
    await handle.writeFile(JSON.stringify({ ...record, value: Buffer.from(value).toString('base64') }));
    await handle.sync();
    await rename(aside, file);
    return record;
  }

  #folderOf(namespace: string): string {
    return join(this.#folder, namespace);
  }

  #fileOf(namespace: string, name: string): string {
    return join(this.#folderOf(namespace), `${name}.json`);
  }
}

function check(name: string, value: Uint8Array): void {
  if (!NAME.test(name))
    throw new PlatformError(
      'INVALID_NAME',
      'The name of a secret is 1 to 253 characters of a-z, 0-9, "-" and ".", and begins and ends with a letter or digit.',
    );
  if (value.length > MAX_VALUE_BYTES)
    throw new PlatformError('PAYLOAD_TOO_LARGE', `A secret has at most ${MAX_VALUE_BYTES} bytes.`);
}

function missing(namespace: string, name: string): PlatformError {
  return new PlatformError('NOT_FOUND', `There is no secret ${name.slice(0, 80)} in ${namespace}.`, {
    details: { secret: name.slice(0, 80), namespace },
  });
}
