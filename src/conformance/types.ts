/** The words of the conformance suite: case, outcome, result, report. */

export type Level = 'MUST' | 'SHOULD';

/** What a platform may offer beyond the core; `auth` is offered when the run has a key. */
export const FEATURES = [
  'call-context',
  'binary',
  'idempotency',
  'async',
  'cancel',
  'list',
  'conditional-replace',
  'logs',
  'head',
] as const;

export type Feature = (typeof FEATURES)[number];

/** A sentence of the standard. */
export interface Sentence {
  /** For example `INV-3`. */
  readonly id: string;
  readonly level: Level;
  readonly text: string;
}

export type CaseOutcome =
  | { readonly outcome: 'pass' }
  | { readonly outcome: 'fail'; readonly expected: string; readonly seen: string }
  /** The platform does not list the feature, or the run has no key for the cases about keys. */
  | { readonly outcome: 'not-offered'; readonly reason: string }
  /** Something the case builds on is not there. Counts as not passed. */
  | { readonly outcome: 'could-not-run'; readonly reason: string };

export type CaseResult = CaseOutcome & {
  /** For example `deploy-03`. */
  readonly id: string;
  readonly section: string;
  readonly title: string;
  readonly level: Level;
  readonly sentence: Sentence;
  readonly needs: readonly string[];
  readonly durationMs: number;
};

/** How many cases of a level ended how. */
export interface Tally {
  readonly pass: number;
  readonly fail: number;
  readonly couldNotRun: number;
  readonly notOffered: number;
}

export interface ConformanceReport {
  readonly url: string;
  /** What the platform says of itself; absent where `GET /api` is not offered. */
  readonly spec?: string;
  readonly platform?: string;
  readonly features: readonly Feature[];
  readonly results: readonly CaseResult[];
  readonly must: Tally;
  readonly should: Tally;
  /** No MUST failed and none could not run. */
  readonly conforms: boolean;
  /** Functions of the suite that could not be removed again. */
  readonly leftovers: readonly string[];
  readonly durationMs: number;
}

export interface ConformanceOptions {
  /** Where the platform is, for example `http://127.0.0.1:8080`; a path in front of `/api` is allowed. */
  readonly url: string;
  /** Sent with every request. An `Authorization` header makes the cases about keys run. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Only these sections; default all. See `SECTIONS`. */
  readonly sections?: readonly string[];
  /** Ends the run early; functions are removed all the same, and cases that are left could not run. */
  readonly signal?: AbortSignal;
  readonly onResult?: (result: CaseResult) => void;
}
