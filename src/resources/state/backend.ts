/** Where a state is kept: one port, three places. */
import { hostname, userInfo } from 'node:os';
import { FaasError } from '../../core/errors.js';
import { emptyState, type State, stateFromJson, stateToJson } from '../core/state.js';

export interface LockInfo {
  readonly id: string;
  /** `user@host`, and the process. */
  readonly owner: string;
  readonly pid: number;
  /** RFC 3339. */
  readonly since: string;
  readonly operation: string;
}

export interface StateBackend {
  /** For messages: a path, a URL without secrets. */
  readonly name: string;
  /** Undefined when there is none yet. */
  read(): Promise<string | undefined>;
  /**
   * Replaces the whole, so that a reader sees the old or the new; keeps the one before as a backup. Only over what this
   * backend has read or written last: who lost the lock must not undo what its next owner did.
   * @throws {FaasError} CONFLICT when another was written since
   */
  write(text: string): Promise<void>;
  /** @returns undefined when the lock is taken now, else whose it is */
  tryLock(lock: LockInfo): Promise<LockInfo | undefined>;
  /** Only a lock of this id. Twice is fine. */
  unlock(id: string): Promise<void>;
  close?(): Promise<void>;
}

/** @throws {FaasError} CONFIG for a state that cannot be read */
export async function readState(backend: StateBackend): Promise<State> {
  const text = await backend.read();
  if (text === undefined) return emptyState();
  try {
    return stateFromJson(text);
  } catch (cause) {
    const message = `The state in ${backend.name} cannot be read: ${cause instanceof Error ? cause.message : String(cause)} Its backup may be good.`;
    throw new FaasError({ code: 'CONFIG', executed: 'no', message, cause });
  }
}

export function writeState(backend: StateBackend, state: State): Promise<void> {
  return backend.write(stateToJson(state));
}

/**
 * Does the work with the lock held, and gives it back however the work ends.
 * @throws {FaasError} CONFLICT that says who holds it, since when, and how to break it
 */
export async function withLock<Result>(
  backend: StateBackend,
  operation: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const lock = newLock(operation);
  const holder = await backend.tryLock(lock);
  if (holder !== undefined) throw locked(backend, holder);
  try {
    return await work();
  } finally {
    await backend.unlock(lock.id);
  }
}

/** Of a backend that finds another state than the one it knew. */
export function stateMoved(name: string): FaasError {
  const message = `The state in ${name} was written by another since it was read, so this lock was broken. Nothing was overwritten: look at what is there with \`jobferry plan\`.`;
  return new FaasError({ code: 'CONFLICT', executed: 'no', message });
}

function newLock(operation: string): LockInfo {
  const id = crypto.randomUUID();
  const owner = `${userInfo().username}@${hostname()}`;
  return { id, owner, pid: process.pid, since: new Date().toISOString(), operation };
}

function locked(backend: StateBackend, { owner, pid, since, operation, id }: LockInfo): FaasError {
  const message = `${backend.name} is locked by ${owner} (process ${pid}) for ${operation} since ${since}. Wait for it, or, when it is gone for certain, add --break-lock ${id}`;
  return new FaasError({ code: 'CONFLICT', executed: 'no', message });
}
