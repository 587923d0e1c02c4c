/** What an API must be able to do for the rest of the room: one implementation a profile, each with its own table. */
import type { Artifact, LogEntry, LogOptions } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import type { CallScope } from '../../core/scope.js';
import type { DeployJournal } from '../shared/deploy-journal.js';
import type { DeployStep, E2eOpenFaasFunctionConfig } from './options.js';

/** `unknown`: a word that this version does not know; it is waited through, and named in errors. */
export type FunctionState = 'deploying' | 'updating' | 'running' | 'idle' | 'failed' | 'deleting' | 'unknown';

/** A function as an API describes it. What it does not say is absent. */
export interface RemoteFunction {
  readonly id: string;
  readonly name: string;
  readonly namespace?: string;
  readonly state: FunctionState;
  /** In the API's own words. */
  readonly stateText: string;
  /** Where it is called, as the API reports it, or as its contract has it. */
  readonly invokeUrl?: string;
  readonly jobId?: JobId;
  /** Of all that was asked for: equal digests, equal functions. */
  readonly digest?: string;
  readonly sha256?: string;
  readonly artifactBytes?: number;
  readonly memoryMb?: number;
  readonly timeoutSecs?: number;
  readonly maxConcurrency?: number;
  /** RFC 3339. */
  readonly deployedAt?: string;
  readonly replicas?: number;
  /** As the API sent it, for what a profile compares. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** What a deploy would do, checked before anything is made. */
export interface DeployPlan {
  readonly jobId: JobId;
  readonly functionName: string;
  readonly digest: string;
  /** At zero it is done too: it may sleep. */
  readonly mayIdle: boolean;
  /** Creates it or writes what differs; safe to repeat after a crash at any request. */
  apply(
    current: RemoteFunction | undefined,
    journal: DeployJournal<DeployStep>,
    scope: CallScope,
  ): Promise<void>;
}

export interface Secrets {
  /** Creates or replaces. Values are never read back. */
  put(name: string, value: string | Uint8Array, scope: CallScope): Promise<void>;
  list(scope: CallScope): Promise<string[]>;
  /** Twice is fine. */
  delete(name: string, scope: CallScope): Promise<void>;
}

export interface Namespaces {
  /** Undefined where the API lists none. */
  list?(scope: CallScope): Promise<string[]>;
  create(name: string, scope: CallScope): Promise<void>;
  delete(name: string, scope: CallScope): Promise<void>;
}

export interface Profile {
  /** What it shows may not be there: one provider of OpenFaaS describes any name. Our marks tell. */
  readonly invents?: true;
  /** @throws {FaasError} UNSUPPORTED, CONFIG or PAYLOAD_TOO_LARGE with the name of the field */
  plan(jobId: JobId, artifact: Artifact, config: Partial<E2eOpenFaasFunctionConfig>): DeployPlan;
  read(functionName: string, scope: CallScope): Promise<RemoteFunction | undefined>;
  list(scope: CallScope): Promise<RemoteFunction[]>;
  /** Twice is fine; it may still be there for a moment. */
  remove(functionName: string, scope: CallScope): Promise<void>;
  logs(functionName: string, options: LogOptions, scope: CallScope): AsyncGenerator<LogEntry>;
  /** Undefined for what the API cannot do. */
  scale?(found: RemoteFunction, replicas: number, scope: CallScope): Promise<void>;
  readonly secrets?: Secrets;
  readonly namespaces?: Namespaces;
  /** What the server says of itself. */
  info?(scope: CallScope): Promise<object>;
  /** Where calls go, by contract; undefined where the API reports it for each function. */
  callUrl?(functionName: string): string;
  /** Where a call is made that nobody waits for; undefined where there is no queue. */
  asyncUrl?(functionName: string): string;
}

/** E2E's words in all its documents, clients and fixtures, in lower case. */
const STATES: Readonly<Record<string, FunctionState>> = {
  deploying: 'deploying',
  building: 'deploying',
  pending: 'deploying',
  updating: 'updating',
  running: 'running',
  ready: 'running',
  active: 'running',
  failed: 'failed',
  error: 'failed',
  deleting: 'deleting',
  idle: 'idle',
};

export function stateOf(text: unknown): FunctionState {
  return typeof text === 'string' ? (STATES[text.toLowerCase()] ?? 'unknown') : 'unknown';
}

/** Copies without what is undefined. */
export function given<T extends object>(fields: { [Key in keyof T]: T[Key] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
