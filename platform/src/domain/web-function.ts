/**
 * A function that answers HTTP requests from instances that stay: what its owner asked for, as a record, and how it
 * stands. Doors translate to and from this; nothing here belongs to one of them.
 */

/** What an instance runs. */
export type Program =
  /** Code of its owner's, loaded by a host of ours. */
  | { readonly kind: 'managed'; readonly language: 'node' | 'python'; readonly handler: string }
  /** A program of this machine or of the uploaded code, behind the watchdog of ours. */
  | { readonly kind: 'command'; readonly command: string };

export interface WebLimits {
  readonly memoryMb: number;
  readonly timeoutSecs: number;
  /** Requests one instance may have at once; one more is refused. Absent: as many as come. */
  readonly maxInflight?: number;
}

export interface Scale {
  /** Instances wanted now. */
  readonly replicas: number;
  /** Between these the platform may change `replicas` by the load; equal ones switch that off. */
  readonly min: number;
  readonly max: number;
  /** Without a request for so long, no instance is kept. Absent: never. */
  readonly zeroAfterSecs?: number;
}

/** The part that an owner chooses and may change. */
export interface WebFunctionSpec {
  readonly program: Program;
  /** Names the code folder; absent for a program that brings none. */
  readonly code?: string;
  readonly limits: WebLimits;
  readonly scale: Scale;
  readonly env: Readonly<Record<string, string>>;
  /** Names, in the order they were given. */
  readonly secrets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** What only the door understands that took it in, given back as it came. */
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface WebFunction extends WebFunctionSpec {
  /** A UUID. */
  readonly id: string;
  readonly namespace: string;
  /** Unique in its namespace. */
  readonly name: string;
  /** 1 and then one more for each change of what runs. */
  readonly version: number;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export type WebState = 'deploying' | 'updating' | 'running' | 'failed' | 'idle';

/** How it stands now. */
export interface WebStatus {
  readonly state: WebState;
  /** Instances that can take a request. */
  readonly ready: number;
  /** In words, why it is not running; absent while there is nothing to complain about. */
  readonly reason?: string;
}

/** Does the change concern what runs, so that its instances must be replaced? */
export function changesWhatRuns(before: WebFunctionSpec, after: WebFunctionSpec): boolean {
  const part = ({ program, code, limits, env, secrets }: WebFunctionSpec): string =>
    JSON.stringify([program, code, limits, sorted(env), [...secrets].sort()]);
  return part(before) !== part(after);
}

function sorted(env: Readonly<Record<string, string>>): unknown {
  return Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1));
}
