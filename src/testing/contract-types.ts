/** What the executor contract needs from its caller: a test runner, an executor, and its honest limits. */
import type { Deployment, FaasExecutor, FunctionConfig } from '../core/executor.js';
import type { JobId } from '../core/job.js';

/** The part of `test` that vitest, jest and node:test share. */
export interface ContractTest {
  (title: string, run: () => Promise<void>): unknown;
  readonly skip: (title: string, run: () => Promise<void>) => unknown;
}

/** The part of `expect` the suite uses. */
export type ContractExpect = (value: unknown) => {
  toBe(expected: unknown): unknown;
  toEqual(expected: unknown): unknown;
};

/** One fresh subject; each case makes its own and cleans it up. */
export interface ContractSubject {
  readonly executor: FaasExecutor;
  /**
   * Deploys one of `contractJobs`, again or with another config too. Leave out when all are deployed from the
   * start; the life-cycle cases then have to be excluded.
   */
  deploy?(jobId: JobId, config?: Partial<FunctionConfig>): Promise<Deployment>;
  /** Ends what `create` started. The suite closes the executor itself. */
  cleanup?(): Promise<void>;
  /** Strings that must be in no error: keys, tokens, passwords. */
  readonly secrets?: readonly string[];
}

/** What a subject may be unable to do. */
export type ContractCapability =
  | 'lifecycle' // deploy, describe, undeploy
  | 'list'
  | 'health'
  | 'warm'
  | 'logs'
  | 'metadata' // to the function and back
  | 'call-id' // callId and attempt reach the function
  | 'deadline' // reaches the function
  | 'remote-error' // name and message of what the handler threw
  | 'payload-limit'; // limits.maxPayloadBytes is stated and small enough to try

export interface ContractOptions {
  /** Names the subject in the titles. */
  readonly name: string;
  readonly test: ContractTest;
  readonly expect: ContractExpect;
  readonly create: () => Promise<ContractSubject>;
  /** What the subject cannot do, and why: these cases are registered as skipped with the reason in their titles. */
  readonly excluded?: Partial<Record<ContractCapability, string>>;
}

/** One case of the suite, as data. */
export interface ContractCase {
  readonly title: string;
  readonly needs?: ContractCapability;
  /** Jobs that are deployed before `run`. */
  readonly jobs: readonly JobId[];
  readonly run: (bench: Bench) => Promise<void>;
}

/** What a case works with. */
export interface Bench {
  readonly subject: ContractSubject;
  readonly executor: FaasExecutor;
  readonly expect: ContractExpect;
  /** `subject.deploy`, for the cases that need the life cycle. */
  deploy(jobId: JobId, config?: Partial<FunctionConfig>): Promise<Deployment>;
}
