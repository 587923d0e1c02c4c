/** Reads what a producer yielded. An item that makes no sense becomes a failed outcome, never an exception. */
import type { CallOptions, JobRequest } from '../core/define-job.js';
import { FaasError } from '../core/errors.js';
import type { JobId } from '../core/job.js';

/** A request that names its job instead of giving its id, as lines of NDJSON do. */
export interface NamedJobRequest<Input = unknown> extends CallOptions {
  /** A name that no job has gives a failed outcome with the code NOT_FOUND. */
  readonly jobName: string;
  readonly input: Input;
}

/** Something a producer received but could not read: it becomes a failed outcome that says so. */
export interface UnreadableItem {
  /** What is wrong and where, for example `line 7 is not JSON`. */
  readonly fault: string;
  /** Shown in the outcome. */
  readonly input: unknown;
}

/** What a producer may yield. Anything else becomes a failed outcome with the code INVALID_REQUEST. */
export type ProducerItem = JobRequest | NamedJobRequest | UnreadableItem;

interface ReadItem {
  readonly request: JobRequest;
  readonly fault: FaasError | undefined;
}

const MAX_JOB_ID = 0xffff_ffff;
/** Stands in outcomes for the id of an item that has none. */
export const NO_JOB_ID = -1;

/** Which job has a name. */
interface JobNames {
  idOf(name: string): JobId | undefined;
}

export function readItem(item: unknown, names: JobNames): ReadItem {
  try {
    return read(item, names);
  } catch (thrown) {
    return {
      request: { jobId: NO_JOB_ID, input: undefined },
      fault: notARequest(`reading it threw ${String(thrown)}`),
    };
  }
}

function read(item: unknown, names: JobNames): ReadItem {
  if (typeof item !== 'object' || item === null) {
    return invalid(item, `a producer yielded ${item === null ? 'null' : `a ${typeof item}`}`);
  }
  if ('fault' in item && typeof item.fault === 'string') return invalid(item, item.fault);
  const request = item as JobRequest & NamedJobRequest;
  const { jobId, jobName, callId, deadline, metadata } = request;
  if (callId !== undefined && (typeof callId !== 'string' || callId === '')) {
    return invalid(item, 'callId must be a string that is not empty');
  }
  if (deadline !== undefined && (typeof deadline !== 'number' || Number.isNaN(deadline))) {
    return invalid(item, 'deadline must be a number of epoch milliseconds');
  }
  if (metadata !== undefined && !isMetadata(metadata)) {
    return invalid(item, 'metadata must be an object whose values are strings');
  }
  if (jobId === undefined && typeof jobName === 'string') {
    const id = names.idOf(jobName);
    if (id === undefined) return { request: numbered(request, NO_JOB_ID), fault: unknownJob(jobName) };
    return { request: numbered(request, id), fault: undefined };
  }
  if (!(Number.isInteger(jobId) && jobId >= 0 && jobId <= MAX_JOB_ID)) {
    return invalid(item, `jobId ${String(jobId)} is not an integer from 0 to ${MAX_JOB_ID}`);
  }
  return { request, fault: undefined };
}

export function unknownJob(job: JobId | string): FaasError {
  return new FaasError({
    code: 'NOT_FOUND',
    executed: 'no',
    message: `Job ${JSON.stringify(job)} is not defined in this runner. Add .job(…) for it, or a .fallback(handler).`,
  });
}

/** The same request with a number for a name. What is read from it may be its class's, so a spread would lose it. */
function numbered(item: NamedJobRequest, jobId: JobId): JobRequest {
  const { input, callId, deadline, metadata } = item;
  return {
    jobId,
    input,
    ...(callId !== undefined && { callId }),
    ...(deadline !== undefined && { deadline }),
    ...(metadata !== undefined && { metadata }),
    ...acknowledgements(item),
  };
}

/** Bound: the `ack` of a queue's message knows by `this` which message it is. */
function acknowledgements(item: CallOptions): Pick<CallOptions, 'ack' | 'nack'> {
  const { ack, nack } = item;
  return {
    ...(typeof ack === 'function' && { ack: ack.bind(item) }),
    ...(typeof nack === 'function' && { nack: nack.bind(item) }),
  };
}

function invalid(item: unknown, fault: string): ReadItem {
  const { input } = (item ?? {}) as Partial<JobRequest>;
  return {
    request: { jobId: NO_JOB_ID, input: input ?? item, ...acknowledgements((item ?? {}) as CallOptions) },
    fault: notARequest(fault),
  };
}

function notARequest(fault: string): FaasError {
  return new FaasError({
    code: 'INVALID_REQUEST',
    executed: 'no',
    message: `An item is not a job request: ${fault}. Yield job.call(input), or { jobId, input }.`,
  });
}

function isMetadata(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  for (const key in value) if (typeof (value as Record<string, unknown>)[key] !== 'string') return false;
  return true;
}
