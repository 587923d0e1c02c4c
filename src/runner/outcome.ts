/** What consumers receive: exactly one outcome for every accepted job. */
import type { AnyJob, Job } from '../core/define-job.js';
import type { FaasError } from '../core/errors.js';
import type { CallMetrics, JobId, Metadata } from '../core/job.js';

/**
 * How a call ended:
 * - `ok`: there is a value.
 * - `failed`: it failed in a way that another attempt would not cure, or that must not be repeated.
 * - `timed-out`: its deadline passed.
 * - `cancelled`: the runner stopped before it was done.
 * - `dead`: it could have been cured by another attempt, and every attempt it was allowed failed.
 */
export type OutcomeStatus = 'ok' | 'failed' | 'timed-out' | 'cancelled' | 'dead';

interface OutcomeBase<Id extends JobId, Name extends string, Input> {
  /** -1 for an item that named no job by an id. */
  readonly jobId: Id;
  /** `(unknown)` for an item whose job this runner does not have. */
  readonly jobName: Name;
  /** The same over all attempts; the item's own, or a random one. */
  readonly callId: string;
  /** As the producer gave it, not as a schema transformed it. */
  readonly input: Input;
  /** Calls of the registered executor or the local handler; 0 when it ended before the first. */
  readonly attempts: number;
  /** `local`, or the provider id of the executor that gave the last answer. */
  readonly ranOn: string;
  /** The FaaS certainly did not run it, so the local handler did. */
  readonly fellBack: boolean;
  /** `job` for a job's own outcome; `always` and `fallback` for those handlers. */
  readonly route: Route;
  /** `totalMs` counts from acceptance to outcome; the rest is what the last attempt's provider reported. */
  readonly metrics: CallMetrics;
  /** The call's metadata, with what the function added. */
  readonly metadata: Metadata;
}

/** Who ran it: the `job` itself, an `always` handler beside it, or the `fallback` for ids without a job. */
export type Route = 'job' | 'always' | 'fallback';

interface Succeeded<Output> {
  readonly status: 'ok';
  /** What the handler returned, or what the function's bytes mean; checked by the job's `output` schema. */
  readonly value: Output;
  readonly error?: undefined;
}

interface Failed {
  readonly status: Exclude<OutcomeStatus, 'ok'>;
  readonly value?: undefined;
  /** Why, and whether the job ran: `code` and `executed`, see docs/errors.md. */
  readonly error: FaasError;
}

/**
 * What consumers receive, exactly one for each accepted item: `status` tells whether there is a `value` or an `error`.
 * With several jobs, `jobId` or `jobName` tell which types `input` and `value` have.
 */
export type Outcome<
  Id extends JobId = JobId,
  Name extends string = string,
  Input = unknown,
  Output = unknown,
> = OutcomeBase<Id, Name, Input> & (Succeeded<Output> | Failed);

/** The outcomes of the given jobs, told apart by `jobId` or `jobName`. */
export type OutcomeOf<Jobs extends AnyJob> =
  Jobs extends Job<infer Id, infer Name, infer Input, infer Output>
    ? Outcome<Id, Name, Input, Output>
    : never;

/**
 * How a run ended: counts, over the jobs it accepted and over everything around them. All jobs went well when `ok`
 * equals `accepted`; all else did when the counts after `dead` are 0.
 */
export interface RunSummary {
  /** Items taken from producers; each ended in one of the five that follow. */
  readonly accepted: number;
  /** Outcomes with the status `ok`; the next four likewise, see {@link OutcomeStatus}. */
  readonly ok: number;
  readonly failed: number;
  readonly timedOut: number;
  readonly cancelled: number;
  readonly dead: number;
  /** Outcomes that some consumer did not take; each was announced by a `parked` event. */
  readonly parked: number;
  /** Times a producer threw or did not end when told to: `producerError` events. */
  readonly producerErrors: number;
  /** Times an `ack` or `nack` failed: `ackError` events. */
  readonly ackErrors: number;
  /** Deliveries that a consumer failed, also those that a later attempt cured: `consumerError` events. */
  readonly consumerErrors: number;
  /** Times a background service failed or did not end when told to: `serviceError` events. */
  readonly serviceErrors: number;
  /** Shutdown handlers that failed: `shutdownError` events. */
  readonly shutdownErrors: number;
}
