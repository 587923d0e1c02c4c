/** Where a state is kept: one port, three places. */
import { hostname, userInfo } from 'node:os';
import { FaasError } from '../../core/errors.js';
import { STATE_VERSION, stateFaults } from '../core/schema-state.js';
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

/** The id of a lock that says nothing of its holder. */
export const UNREADABLE_LOCK = 'unreadable';

export interface StateBackend {
  /** For messages: a path, a URL without secrets. */
  readonly name: string;
  /** For messages: where the state before this one is kept. */
  readonly backup?: string;
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
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw damaged(backend, [cause instanceof Error ? cause.message : String(cause)], cause);
  }
  const version = (json as { version?: unknown } | null)?.version;
  if (version !== STATE_VERSION) throw otherVersion(backend, version);
  const faults = stateFaults(json);
  if (faults.length > 0) throw damaged(backend, faults);
  return stateFromJson(text);
}

/** A backup would be worse: it knows less of what is there than what was written by another version. */
function otherVersion({ name }: StateBackend, version: unknown): FaasError {
  const what =
    typeof version === 'number'
      ? `is of version ${version}, and this jobferry reads version ${STATE_VERSION}`
      : `says no version, and a state of jobferry is of version ${STATE_VERSION}`;
  const remedy =
    typeof version === 'number' && version > STATE_VERSION
      ? 'A newer jobferry wrote it: upgrade this one, and leave the state as it is.'
      : 'It was not written by this jobferry: name the right place with --state.';
  return config(`The state in ${name} cannot be read: it ${what}. ${remedy}`);
}

function damaged({ name, backup = 'its backup' }: StateBackend, faults: readonly string[], cause?: unknown) {
  const remedy = `It was cut short or edited: mend it, or put back the one before it, ${backup}, and import what was made since.`;
  return config(`The state in ${name} cannot be read: ${faults.join('; ')}. ${remedy}`, cause);
}

export function writeState(backend: StateBackend, state: State): Promise<void> {
  return backend.write(stateToJson(state));
}

/**
 * Does the work with the lock held, and gives it back however the work ends.
 * @param withoutLock given by who only reads: hears why there is no lock where this user may make none, and the work is done
 * @throws {FaasError} CONFLICT that says who holds it, since when, and how to break it
 */
export async function withLock<Result>(
  backend: StateBackend,
  operation: string,
  work: () => Promise<Result>,
  withoutLock?: (reason: string) => void,
): Promise<Result> {
  const lock = newLock(operation);
  let holder: LockInfo | undefined;
  try {
    holder = await backend.tryLock(lock);
  } catch (failure) {
    if (withoutLock === undefined || !isReadOnly(failure)) throw failure;
    withoutLock(failure.message);
    return work();
  }
  if (holder !== undefined) throw locked(backend, holder);
  try {
    return await work();
  } finally {
    await backend.unlock(lock.id);
  }
}

/** Of a place that may be read and not written. */
function isReadOnly(failure: unknown): failure is FaasError {
  const { code = '' } = FaasError.is(failure) ? ((failure.cause ?? {}) as NodeJS.ErrnoException) : {};
  return ['EACCES', 'EPERM', 'EROFS'].includes(code);
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

function locked({ name }: StateBackend, { owner, pid, since, operation, id }: LockInfo): FaasError {
  const message =
    id === UNREADABLE_LOCK
      ? `${name} is locked since ${since}, and its lock is empty or damaged: nobody knows by whom. When nobody works with this state for certain, add --break-lock ${id}`
      : `${name} is locked by ${owner} (process ${pid}) for ${operation} since ${since}. Wait for it, or, when it is gone for certain, add --break-lock ${id}`;
  return new FaasError({ code: 'CONFLICT', executed: 'no', message });
}

function config(message: string, cause?: unknown): FaasError {
  return new FaasError({ code: 'CONFIG', executed: 'no', message, cause });
}
