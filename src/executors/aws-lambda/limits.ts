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
/** Two characters at least: the API's own pattern. */
export const ENVIRONMENT_NAME = /^[a-zA-Z][a-zA-Z0-9_]+$/;
/**
 * Names that Lambda sets itself and refuses in a configuration. By name: AWS_LAMBDA_EXEC_WRAPPER and others of the
 * prefix are the user's. "Working with Lambda environment variables" in the developer guide, as of 2026-11-20.
 */
export const RESERVED_ENVIRONMENT: ReadonlySet<string> = new Set([
  'AWS_ACCESS_KEY',
  'AWS_ACCESS_KEY_ID',
  'AWS_DEFAULT_REGION',
  'AWS_EXECUTION_ENV',
  'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',
  'AWS_LAMBDA_FUNCTION_NAME',
  'AWS_LAMBDA_FUNCTION_VERSION',
  'AWS_LAMBDA_INITIALIZATION_TYPE',
  'AWS_LAMBDA_LOG_GROUP_NAME',
  'AWS_LAMBDA_LOG_STREAM_NAME',
  'AWS_LAMBDA_MAX_CONCURRENCY',
  'AWS_LAMBDA_METADATA_API',
  'AWS_LAMBDA_METADATA_TOKEN',
  'AWS_LAMBDA_RUNTIME_API',
  'AWS_REGION',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'LAMBDA_RUNTIME_DIR',
  'LAMBDA_TASK_ROOT',
  '_HANDLER',
  '_X_AMZN_TRACE_ID',
]);
/** Of a resource, the user's. "Using tags on Lambda functions" in the developer guide, as of 2026-11-20. */
export const MAX_TAGS = 50;
export const MAX_TAG_KEY_CHARACTERS = 128;
export const MAX_TAG_VALUE_CHARACTERS = 256;
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
