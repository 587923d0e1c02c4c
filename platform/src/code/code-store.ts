/** Code folders named by the hash of their zip: written aside, made durable, then put in place by one rename. */

import { randomUUID } from 'node:crypto';
import { constants, renameSync } from 'node:fs';
import { access, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { systemCode } from '../domain/errors.js';
import type { StdioProtocol } from '../runtimes/stdio-protocol.js';
import type { DataFolder } from '../store/data-folder.js';
import { checkBootstrap } from './bootstrap-check.js';
import { extractZip, syncFolder } from './extract.js';
import { readManifest } from './manifest.js';
import type { ZipLimits } from './zip-plan.js';

const CODE_NAME = /^[0-9a-f]{64}$/;

export class CodeStore {
  readonly #folder: DataFolder;
  readonly #limits: ZipLimits;
  readonly #isUsed: (sha256: string) => boolean;
  readonly #holds = new Map<string, number>();
  readonly #protocols = new Map<string, StdioProtocol>();
  /** Under way, by hash: who comes for the same code waits for it. */
  readonly #installing = new Map<string, Promise<void>>();

  /** @param isUsed does any deployed function use this code? */
  constructor(folder: DataFolder, limits: ZipLimits, isUsed: (sha256: string) => boolean) {
    this.#folder = folder;
    this.#limits = limits;
    this.#isUsed = isUsed;
  }

  pathOf(sha256: string): string {
    return join(this.#folder.code, sha256);
  }

  /** Makes the code folder of a zip unless it is there. Hold the code before, or it may be collected at once. */
  async install(zipFile: string, sha256: string): Promise<void> {
    // What is there may have come as code of another kind, of which nobody asked for a bootstrap.
    if (await isSound(this.pathOf(sha256))) return;
    const aside = join(this.#folder.incoming, randomUUID());
    try {
      await extractZip(zipFile, aside, this.#limits);
      await checkBundle(aside);
      await this.#putInPlace(aside, sha256);
    } finally {
      await rm(aside, { recursive: true, force: true });
    }
  }

  /**
   * Makes the code folder of a zip that needs no bootstrap, since something else runs what is in it. Hold the code
   * before, or it may be collected at once.
   */
  async installFolder(zipFile: string, sha256: string): Promise<void> {
    await this.#installAside(sha256, (aside) => extractZip(zipFile, aside, this.#limits, false));
  }

  /** The same for code that is one file. */
  async installFile(name: string, content: Uint8Array, sha256: string): Promise<void> {
    await this.#installAside(sha256, async (aside) => {
      await mkdir(aside, { mode: 0o755 });
      await writeFile(join(aside, name), content, { mode: 0o644, flush: true });
      await syncFolder(aside);
    });
  }

  /** Can a call be started from this code? */
  async isRunnable(sha256: string): Promise<boolean> {
    try {
      const bootstrap = join(this.pathOf(sha256), 'bootstrap');
      await access(bootstrap, constants.X_OK);
      return (await stat(bootstrap)).isFile();
    } catch {
      return false;
    }
  }

  /** How the bundle wants its bytes. */
  async protocolOf(sha256: string): Promise<StdioProtocol> {
    const known = this.#protocols.get(sha256);
    if (known !== undefined) return known;
    const { protocol } = await readManifest(this.pathOf(sha256));
    this.#protocols.set(sha256, protocol);
    return protocol;
  }

  /** Keeps code in place while a call runs from it or a deploy is about to use it. */
  hold(sha256: string): void {
    this.#holds.set(sha256, (this.#holds.get(sha256) ?? 0) + 1);
  }

  /** Gives a hold back and removes the code when nobody needs it any more. */
  async release(sha256: string): Promise<void> {
    const left = (this.#holds.get(sha256) ?? 0) - 1;
    if (left > 0) this.#holds.set(sha256, left);
    else this.#holds.delete(sha256);
    await this.collect(sha256);
  }

  /** Removes code that no function names and no call holds. */
  async collect(sha256: string): Promise<void> {
    if (this.#holds.has(sha256) || this.#isUsed(sha256)) return;
    this.#protocols.delete(sha256);
    await this.#remove(this.pathOf(sha256));
  }

  /** Removes what a platform that ended badly left behind. Call it before anything runs. */
  async sweep(): Promise<void> {
    for (const name of await readdir(this.#folder.code)) {
      const isOurs = name === 'package.json' || (CODE_NAME.test(name) && this.#isUsed(name));
      if (!isOurs) await this.#remove(join(this.#folder.code, name));
    }
  }

  #installAside(sha256: string, make: (aside: string) => Promise<void>): Promise<void> {
    const running = this.#installing.get(sha256);
    if (running !== undefined) return running;
    const installed = this.#makeAside(sha256, make).finally(() => this.#installing.delete(sha256));
    this.#installing.set(sha256, installed);
    return installed;
  }

  async #makeAside(sha256: string, make: (aside: string) => Promise<void>): Promise<void> {
    if (await exists(this.pathOf(sha256))) return;
    const aside = join(this.#folder.incoming, randomUUID());
    try {
      await make(aside);
      // It has no bootstrap to be judged by: what is there by now is the same, and may be in use.
      await this.#putInPlace(aside, sha256, async () => true);
    } finally {
      await rm(aside, { recursive: true, force: true });
    }
  }

  async #putInPlace(aside: string, sha256: string, isGood = isSound): Promise<void> {
    const place = this.pathOf(sha256);
    try {
      await rename(aside, place);
    } catch (error) {
      const code = systemCode(error);
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
      // Another deploy of the same zip was first, or the folder there cannot run any more.
      if (await isGood(place)) return;
      await this.#remove(place);
      await rename(aside, place);
    }
    await syncFolder(this.#folder.code);
  }

  /** Moves away first, in the same turn as the caller's checks, so that nobody ever sees half of the code. */
  async #remove(path: string): Promise<void> {
    const aside = join(this.#folder.incoming, randomUUID());
    try {
      renameSync(path, aside);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return;
      throw error;
    }
    await rm(aside, { recursive: true, force: true });
  }
}

/** @throws PlatformError INVALID_PACKAGE with the reason why no call can be started from this folder */
async function checkBundle(folder: string): Promise<void> {
  await checkBootstrap(join(folder, 'bootstrap'));
  await readManifest(folder);
}

async function isSound(folder: string): Promise<boolean> {
  return checkBundle(folder).then(
    () => true,
    () => false,
  );
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
