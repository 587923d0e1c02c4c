/** The state in a file: written beside and renamed; the lock is a file that only one can make. */
import { link, open, readFile, rename, rm, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, resolve } from 'node:path';
import { type LockInfo, type StateBackend, stateMoved } from './backend.js';

export class FileBackend implements StateBackend {
  readonly name: string;
  readonly #path: string;
  readonly #lockPath: string;
  /** What was read or written last. */
  #known: string | undefined;

  /** @param path of the state; `PATH.backup` and `PATH.lock` stand beside it */
  constructor(path: string) {
    this.#path = resolve(path);
    this.#lockPath = `${this.#path}.lock`;
    this.name = this.#path;
  }

  async read(): Promise<string | undefined> {
    this.#known = await readOrUndefined(this.#path);
    return this.#known;
  }

  /** On a full disk the new file cannot be written, and the old one stays. */
  async write(text: string): Promise<void> {
    if ((await readOrUndefined(this.#path)) !== this.#known) throw stateMoved(this.name);
    const fresh = `${this.#path}.${process.pid}.tmp`;
    try {
      const file = await open(fresh, 'w', 0o600);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rm(`${this.#path}.backup`, { force: true });
      await link(this.#path, `${this.#path}.backup`).catch(ifMissing);
      await rename(fresh, this.#path);
      this.#known = text;
      await syncFolder(dirname(this.#path));
    } catch (failure) {
      await rm(fresh, { force: true }).catch(() => {});
      throw failure;
    }
  }

  async tryLock(lock: LockInfo): Promise<LockInfo | undefined> {
    for (;;) {
      const made = await this.#makeLock(lock);
      if (made) return undefined;
      const holder = await this.#holder();
      if (holder === undefined) continue;
      if (!isDead(holder)) return holder;
      if (!(await this.#clear(holder))) return holder;
    }
  }

  /**
   * Takes away the lock of a process that was killed. Of several who find it, one may: another, who comes late, would
   * take away the lock of that one.
   */
  async #clear(dead: LockInfo): Promise<boolean> {
    const claim = `${this.#lockPath}.dead.${dead.id}`;
    try {
      await (await open(claim, 'wx', 0o600)).close();
    } catch (failure) {
      if ((failure as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw failure;
    }
    await this.unlock(dead.id).finally(() => rm(claim, { force: true }));
    return true;
  }

  async unlock(id: string): Promise<void> {
    if ((await this.#holder())?.id === id) await unlink(this.#lockPath).catch(ifMissing);
  }

  /** Whole or not at all: a lock that is half written says nothing about its holder. */
  async #makeLock(lock: LockInfo): Promise<boolean> {
    const fresh = `${this.#lockPath}.${lock.id}`;
    const file = await open(fresh, 'wx', 0o600);
    await file.writeFile(JSON.stringify(lock)).finally(() => file.close());
    try {
      await link(fresh, this.#lockPath);
      return true;
    } catch (failure) {
      if ((failure as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw failure;
    } finally {
      await rm(fresh, { force: true });
    }
  }

  async #holder(): Promise<LockInfo | undefined> {
    const text = await readOrUndefined(this.#lockPath);
    return text === undefined ? undefined : (JSON.parse(text) as LockInfo);
  }
}

/** Only on this machine can that be known. */
function isDead({ owner, pid }: LockInfo): boolean {
  if (!owner.endsWith(`@${hostname()}`)) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (failure) {
    return (failure as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

async function readOrUndefined(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((failure: NodeJS.ErrnoException) => {
    if (failure.code === 'ENOENT') return undefined;
    throw failure;
  });
}

function ifMissing(failure: NodeJS.ErrnoException): void {
  if (failure.code !== 'ENOENT') throw failure;
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  await folder.sync().finally(() => folder.close());
}
