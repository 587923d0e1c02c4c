/** The name of a function on the wire, and the function a job is bound to by default. */

import { PlatformError } from './errors.js';

const FUNCTION_ID = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const JOB_ID = /^(0|[1-9][0-9]{0,9})$/;
export const MAX_JOB_ID = 0xffff_ffff;

/** Can it name a function, or a namespace? */
export function isLabel(text: string): boolean {
  return FUNCTION_ID.test(text);
}

/**
 * Decodes and checks one raw path segment.
 * @throws PlatformError INVALID_NAME
 */
export function parseFunctionId(rawSegment: string): string {
  const id = percentDecode(rawSegment);
  if (id === undefined || !FUNCTION_ID.test(id)) {
    throw new PlatformError(
      'INVALID_NAME',
      'The function id must be 1 to 63 characters of a-z, 0-9 and "-", and must not start or end with "-".',
      { details: { function_id: (id ?? rawSegment).slice(0, 80) } },
    );
  }
  return id;
}

/**
 * The function a job number is bound to: `job{n}`.
 * @throws PlatformError INVALID_NAME when the segment is not an unsigned 32-bit number
 */
export function functionIdOfJob(rawSegment: string): string {
  const text = percentDecode(rawSegment) ?? '';
  if (!JOB_ID.test(text) || Number(text) > MAX_JOB_ID) {
    throw new PlatformError('INVALID_NAME', `The job id must be a whole number from 0 to ${MAX_JOB_ID}.`, {
      details: { job_id: text.slice(0, 80) },
    });
  }
  return `job${text}`;
}

function percentDecode(rawSegment: string): string | undefined {
  try {
    return decodeURIComponent(rawSegment);
  } catch {
    return undefined;
  }
}
