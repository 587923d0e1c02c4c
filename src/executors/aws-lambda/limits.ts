/** What AWS Lambda takes, as data with a day and a source. Nothing here is enforced by its own: options may override. */
import type { ProviderLimits } from '../../core/executor.js';

/** The largest event of a synchronous call, and the largest reply: 6 MB, which AWS counts as 6 MiB. */
export const MAX_SYNC_EVENT_BYTES = 6 * 1024 * 1024;
/** The largest event of an asynchronous call. */
export const MAX_ASYNC_EVENT_BYTES = 1024 * 1024;
/** The largest zip that fits into a request; a larger one goes through S3. */
export const MAX_DIRECT_ZIP_BYTES = 50 * 1024 * 1024;
/** Code and layers together, unpacked. */
export const MAX_UNZIPPED_BYTES = 250 * 1024 * 1024;
/** All environment variables together, names and values. */
export const MAX_ENVIRONMENT_BYTES = 4 * 1024;
/** Room in an event for everything but the bytes: ids, deadline, metadata. */
const ENVELOPE_BYTES = 64 * 1024;
/** Bytes travel as base64: four characters for three. */
const CARRIED_BYTES = ((MAX_SYNC_EVENT_BYTES - ENVELOPE_BYTES) * 3) / 4;

export const LAMBDA_LIMITS: ProviderLimits = {
  maxPayloadBytes: CARRIED_BYTES,
  maxResultBytes: CARRIED_BYTES,
  memoryMb: { min: 128, max: 10_240 },
  timeoutSecs: { min: 1, max: 900 },
  // 0 is legal at AWS and stops a function; an account has 1000 unless AWS raised it.
  maxConcurrency: { min: 1, max: 1_000_000 },
  maxArtifactBytes: MAX_UNZIPPED_BYTES,
  namePattern: /^[A-Za-z0-9_-]{1,64}$/,
  asOf: '2026-11-20',
  source: 'AWS Lambda developer guide, "Lambda quotas"; Lambda API model 2015-03-31',
};

export const EPHEMERAL_STORAGE_MB = { min: 512, max: 10_240 } as const;
/** What an asynchronous call may ask for (PutFunctionEventInvokeConfig). */
export const EVENT_AGE_SECS = { min: 60, max: 21_600 } as const;
export const EVENT_RETRIES = { min: 0, max: 2 } as const;
