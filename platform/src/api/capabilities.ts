/** What `GET /api` says: the specification, what is in force on this machine, and every limit as data. */

import { MAX_METADATA_BYTES, MAX_WAIT_SECS } from '../domain/limits.js';
import type { Engine } from '../engine.js';

/** Of the specification 1.1; this platform always offers all of them. */
const FEATURES = [
  'call-context',
  'binary',
  'idempotency',
  'async',
  'cancel',
  'list',
  'conditional-replace',
  'logs',
  'head',
];

export function capabilities({ limits, isolation }: Engine, version: string): object {
  return {
    spec: '1.1',
    platform: 'jobferry',
    version,
    isolation,
    limits: {
      max_request_bytes: limits.maxRequestBytes,
      max_args_bytes: limits.maxArgsBytes,
      max_result_bytes: limits.maxResultBytes,
      max_zip_bytes: limits.maxZipBytes,
      max_unzipped_bytes: limits.maxUnzippedBytes,
      memory_mb: limits.memoryMb,
      timeout_secs: limits.timeoutSecs,
      max_concurrency: limits.maxConcurrency,
      max_metadata_bytes: MAX_METADATA_BYTES,
      max_wait_secs: MAX_WAIT_SECS,
      idempotency_ttl_secs: limits.idempotencyTtlSecs,
      invocation_retention_secs: limits.invocationRetentionSecs,
      log_retention_lines: limits.logRetentionLines,
    },
    features: FEATURES,
  };
}
