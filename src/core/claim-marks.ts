/**
 * Marks in the metadata of a call: they say that the args, or the result, are a claim and not the bytes themselves.
 * Apart from the rest, since every entry looks for them and hardly any call has them.
 */
import type { Metadata } from './job.js';

/** On a call: the args are a claim. */
export const ARGS = 'jobferry-claim-args';
/** On a call: results above so many bytes shall come as a claim. */
export const RESULTS_ABOVE = 'jobferry-claim-results-above';
/** On a call: seconds that objects live. */
export const TTL = 'jobferry-claim-ttl';
/** On a result: it is a claim. */
export const RESULT = 'jobferry-claim-result';

export interface ClaimMarks {
  readonly argsAreClaim: boolean;
  readonly resultsAboveBytes: number;
  readonly ttlSecs: number;
}

/** Metadata that tells the function's side what to do. */
export function markCall(metadata: Metadata, marks: ClaimMarks): Metadata {
  return {
    ...metadata,
    ...(marks.argsAreClaim && { [ARGS]: '1' }),
    [RESULTS_ABOVE]: String(marks.resultsAboveBytes),
    [TTL]: String(marks.ttlSecs),
  };
}

export function isMarked(metadata: Metadata): boolean {
  return RESULTS_ABOVE in metadata;
}

export function resultIsClaim(metadata: Metadata): boolean {
  return metadata[RESULT] === '1';
}

/** What is left for the job, and for the caller, to see. */
export function withoutMarks(metadata: Metadata): Metadata {
  const { [ARGS]: _1, [RESULTS_ABOVE]: _2, [TTL]: _3, [RESULT]: _4, ...rest } = metadata;
  return rest;
}
