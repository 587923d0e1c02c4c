/** How many calls a provider can take at once, learned from its answers (additive increase, multiplicative decrease). */
import { FaasError } from '../core/errors.js';
import type { JobId } from '../core/job.js';
import { checkCount, configError } from './wrap.js';

/** What the concurrency layer asks a limit. */
export interface ConcurrencyLimit {
  /** Calls allowed at once; fractions are learned but not allowed. */
  readonly current: number;
  /** Milliseconds during which the provider asked for no calls at all. */
  pausedMs(): number;
  ended(end: CallEnd): void;
}

export interface CallEnd {
  readonly jobId: JobId;
  readonly startedMs: number;
  readonly endedMs: number;
  /** Calls in flight when this one started, itself included. */
  readonly startedInFlight: number;
  readonly error: unknown;
}

/** Between which limits `concurrency` may move. All are integers. */
export interface AdaptiveOptions {
  /** Never fewer, at least 1. */
  readonly min: number;
  /** Never more. */
  readonly max: number;
  /** Where to start. */
  readonly initial: number;
}

const FIRST_SHRINK = 0.9;
/** When shrinking a moment ago was not enough. */
const REPEATED_SHRINK = 0.7;
/** Near a level that was too much before, growth is this much slower: it keeps the rate of 429 low. */
const CAUTION = 10;
/** Average latency this many times the lowest average means that calls queue up at the provider. */
const LATENCY_FACTOR = 2;
/** A provider that asks for more is not waited for longer. */
const MAX_PAUSE_MS = 30_000;
/** The weight of one call in the average. */
const SMOOTHING = 0.05;
/** The lowest average grows by its own size in this time. */
const FORGET_MS = 600_000;
/** Calls of a job before its average says anything. */
const WARM_UP_CALLS = 20;

export class AdaptiveLimit implements ConcurrencyLimit {
  readonly #min: number;
  readonly #max: number;
  #limit: number;
  /** Calls in flight that proved too many; Infinity before the first refusal. */
  #ceiling = Infinity;
  #refused = false;
  #shrunkAtMs = -Infinity;
  #lastShrinkFollowedSuccess = true;
  #pausedUntilMs = -Infinity;
  readonly #latencies = new Map<JobId, LatencyTrend>();

  constructor({ min, max, initial }: AdaptiveOptions) {
    checkCount('concurrency', 'adaptive.min', min, 1);
    checkCount('concurrency', 'adaptive.max', max, min);
    checkCount('concurrency', 'adaptive.initial', initial, min);
    if (initial > max) throw configError('concurrency: adaptive.initial must not be above adaptive.max.');
    this.#min = min;
    this.#max = max;
    this.#limit = initial;
  }

  get current(): number {
    return this.#limit;
  }

  pausedMs(): number {
    return Math.max(0, this.#pausedUntilMs - performance.now());
  }

  ended(end: CallEnd): void {
    const throttled = FaasError.is(end.error) && end.error.code === 'THROTTLED';
    if (throttled) {
      const askedMs = (end.error as FaasError).retryAfterMs ?? 0;
      this.#pausedUntilMs = Math.max(this.#pausedUntilMs, end.endedMs + Math.min(askedMs, MAX_PAUSE_MS));
      this.#ceiling = Math.min(this.#ceiling, end.startedInFlight);
      this.#shrink(end);
    } else if (end.error === undefined) {
      if (this.#isSlow(end)) this.#shrink(end);
      else if (end.startedMs >= this.#shrunkAtMs) this.#grow(end);
    }
  }

  #shrink(end: CallEnd): void {
    // Calls that started before the last shrink tell of the old limit.
    if (end.startedMs < this.#shrunkAtMs) return;
    const factor = this.#lastShrinkFollowedSuccess ? FIRST_SHRINK : REPEATED_SHRINK;
    this.#limit = Math.max(this.#min, this.#limit * factor);
    this.#shrunkAtMs = end.endedMs;
    this.#lastShrinkFollowedSuccess = false;
    this.#refused = true;
  }

  #grow(end: CallEnd): void {
    this.#lastShrinkFollowedSuccess = true;
    // A limit that is not used proves nothing.
    if (end.startedInFlight < Math.floor(this.#limit) - 1) return;
    let step = this.#refused ? 1 / this.#limit : 1;
    if (this.#limit >= this.#ceiling - 1) step /= CAUTION;
    this.#limit = Math.min(this.#max, this.#limit + step);
    // More calls went well than were refused before: the provider has grown.
    if (end.startedInFlight > this.#ceiling) this.#ceiling = Infinity;
  }

  #isSlow(end: CallEnd): boolean {
    let trend = this.#latencies.get(end.jobId);
    if (trend === undefined) {
      trend = new LatencyTrend();
      this.#latencies.set(end.jobId, trend);
    }
    return trend.add(end) > LATENCY_FACTOR;
  }
}

/** Compares the moving average of a job's latency with the lowest it had: single slow calls mean nothing. */
class LatencyTrend {
  #calls = 0;
  #averageMs = 0;
  #lowestMs = Infinity;
  #lastMs = 0;

  /** Returns how many times the lowest average the average is now; 1 while there are too few calls to tell. */
  add({ startedMs, endedMs }: CallEnd): number {
    this.#calls += 1;
    const weight = Math.max(SMOOTHING, 1 / this.#calls);
    this.#averageMs += (endedMs - startedMs - this.#averageMs) * weight;
    if (this.#calls < WARM_UP_CALLS) return 1;
    // Forgets slowly, so that a job whose work has grown is not held down for good.
    this.#lowestMs *= 1 + (endedMs - this.#lastMs) / FORGET_MS;
    this.#lowestMs = Math.min(this.#lowestMs, this.#averageMs);
    this.#lastMs = endedMs;
    return this.#averageMs / Math.max(this.#lowestMs, 1);
  }
}
