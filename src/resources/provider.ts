/** What planning and applying need of a provider: the port that E2E's API and every executor are brought behind. */
import type { UpdateGroup } from './core/diff.js';
import type { Endpoint } from './core/endpoints.js';
import type { DesiredFunction, DesiredSecret } from './core/model.js';
import type { RuntimeInfo } from './core/runtimes.js';

export type FunctionStatus =
  | 'deploying'
  | 'updating'
  | 'running'
  | 'failed'
  | 'deleting'
  | 'idle'
  | 'unknown';

/** The code of a function, read when it is needed. */
export interface Code {
  readonly sha256: string;
  /** Of one file or text; undefined for folders and archives. */
  readonly inline?: string;
  /** Where it came from, for providers that bundle it themselves: an absolute path. */
  readonly path?: string;
  /** As a deterministic zip. */
  zip(): Promise<Uint8Array>;
}

/** A function as its provider describes it. What the provider does not say is absent, and the state keeps what it knew. */
export interface RemoteFunction {
  readonly id: string;
  /** Where functions are known by one. */
  readonly jobId?: number;
  readonly name?: string;
  readonly status: FunctionStatus;
  /** As the provider writes it. */
  readonly statusText: string;
  readonly errorMessage?: string;
  readonly namespace?: string;
  readonly runtime?: string;
  readonly template?: string;
  readonly invokeUrl?: string;
  readonly version?: string;
  readonly codeSha256?: string;
  readonly config?: Partial<DesiredFunction['config']>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly createdAt?: string;
  readonly updatedAt?: string;
  readonly invocationCount?: number;
}

export interface ResourceProvider {
  readonly name: string;
  /** Where it is, when one server is not as good as another. */
  readonly endpoint?: Endpoint;
  /** The job id that a function will have, where functions are known by one: then it is known before the create. */
  jobIdOf?(desired: DesiredFunction): number;
  /** Why this function cannot run here, from the provider's limits, in whole sentences; empty when it can. */
  cannotRun(desired: DesiredFunction): string[];
  /**
   * Asks for the function; it need not run yet.
   * @returns what it is known by from now on
   * @throws {FaasError} CONFLICT when one of its name is there
   */
  create(
    desired: DesiredFunction,
    code: Code | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly id: string }>;
  /** Undefined when it is not there. */
  read(id: string, signal: AbortSignal): Promise<RemoteFunction | undefined>;
  /** By what it is called, for who has no id of it. */
  find(
    wanted: Pick<DesiredFunction, 'name' | 'namespace' | 'job_id'>,
    signal: AbortSignal,
  ): Promise<RemoteFunction | undefined>;
  update(
    id: string,
    group: UpdateGroup,
    desired: DesiredFunction,
    code: Code | undefined,
    signal: AbortSignal,
  ): Promise<void>;
  /** Twice is fine. It need not be gone when this resolves. */
  delete(id: string, signal: AbortSignal): Promise<void>;
  /** Undefined where the provider keeps none that could be managed here. */
  readonly secrets?: SecretStore;
  runtimes?(signal: AbortSignal): Promise<readonly RuntimeInfo[]>;
  close?(): Promise<void>;
}

export interface SecretStore {
  /** Makes it, or gives it another value. */
  put(
    secret: DesiredSecret,
    value: string,
    signal: AbortSignal,
  ): Promise<{ readonly id: string; readonly createdAt?: string }>;
  has(name: string, namespace: string | undefined, signal: AbortSignal): Promise<boolean>;
  /** Twice is fine. */
  delete(name: string, namespace: string | undefined, signal: AbortSignal): Promise<void>;
}
