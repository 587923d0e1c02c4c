/** The state in a file: written beside and renamed; the lock is a file that only one can make. */
import { link, open, readFile, rename, rm, stat, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, resolve } from 'node:path';
import { FaasError } from '../../core/errors.js';
import { type LockInfo, type StateBackend, stateMoved, UNREADABLE_LOCK } from './backend.js';

export class FileBackend implements StateBackend {
  readonly name: string;
  readonly backup: string;
  readonly #path: string;
  readonly #lockPath: string;
  /** What was read or written last. */
  #known: string | undefined;

  /** @param path of the state; `PATH.backup` and `PATH.lock` stand beside it */
  constructor(path: string) {
    this.#path = resolve(path);
    this.#lockPath = `${this.#path}.lock`;
    this.name = this.#path;
    this.backup = `${this.#path}.backup`;
  }

  async read(): Promise<string | undefined> {
    this.#known = await readOrUndefined(this.#path).catch((cause: unknown) => {
      throw inWords(`The state in ${this.#path} cannot be read`, cause);
    });
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
      await rm(this.backup, { force: true });
      await link(this.#path, this.backup).catch(ifMissing);
      await rename(fresh, this.#path);
      this.#known = text;
      await syncFolder(dirname(this.#path));
    } catch (failure) {
      await rm(fresh, { force: true }).catch(() => {});
      throw inWords(`The state in ${this.#path} cannot be written`, failure);
    }
  }

  async tryLock(lock: LockInfo): Promise<LockInfo | undefined> {
    for (;;) {
      const made = await this.#makeLock(lock).catch((cause: unknown) => {
        throw inWords(`The lock of the state, ${this.#lockPath}, cannot be made`, cause);
      });
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
    return text === undefined
      ? undefined
      : (lockIn(text) ?? unreadableSince(await modifiedAt(this.#lockPath)));
  }
}

function lockIn(text: string): LockInfo | undefined {
  try {
    const lock = JSON.parse(text) as LockInfo | null;
    return typeof lock?.id === 'string' && typeof lock.owner === 'string' ? lock : undefined;
  } catch {
    return undefined;
  }
}

/** Of a full disk, or of another hand: it can be broken like any other. */
function unreadableSince(since: string): LockInfo {
  return { id: UNREADABLE_LOCK, owner: '', pid: 0, since, operation: '' };
}

async function modifiedAt(path: string): Promise<string> {
  return stat(path).then(
    ({ mtime }) => mtime.toISOString(),
    () => 'just now',
  );
}

const REMEDIES: Readonly<Record<string, string>> = {
  EACCES: 'Let this user write there, or keep the state elsewhere with --state.',
  EPERM: 'Let this user write there, or keep the state elsewhere with --state.',
  EROFS: 'That file system is read-only: keep the state elsewhere with --state.',
  ENOENT: 'Make its folder first, or keep the state elsewhere with --state.',
  ENOTDIR: 'Name a file in a folder with --state.',
  EISDIR: 'That is a folder: name a file in it with --state.',
};

function inWords(what: string, cause: unknown): FaasError {
  const { code = '', message } = cause as NodeJS.ErrnoException;
  const text = `${what}: ${message}. ${REMEDIES[code] ?? ''}`.trim();
  return new FaasError({ code: 'CONFIG', executed: 'no', message: text, cause });
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
