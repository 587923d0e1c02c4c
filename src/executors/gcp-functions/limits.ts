/** What Cloud Functions (2nd gen) take, as data with a day and a source. Options may override. */
import type { ProviderLimits } from '../../core/executor.js';

const MIB = 1024 * 1024;

export const GCP_LIMITS: ProviderLimits = {
  maxPayloadBytes: 32 * MIB,
  maxResultBytes: 32 * MIB,
  memoryMb: { min: 128, max: 32_768 },
  // HTTP functions; those of events end after 9 minutes.
  timeoutSecs: { min: 1, max: 3600 },
  maxConcurrency: { min: 1, max: 1_000_000 },
  maxArtifactBytes: 100 * MIB,
  // The API takes 63 characters; the Cloud Run service behind it is documented for 49.
  namePattern: /^[a-z][a-z0-9-]{2,47}[a-z0-9]$/,
  asOf: '2026-11-20',
  source:
    'Google Cloud documentation, "Cloud Run functions quotas"; Cloud Functions API v2, revision 20260424, for names',
};

/** Requests that one instance may work on at once (Cloud Run). */
export const CONCURRENCY = { min: 1, max: 1000 } as const;
export const INSTANCES = { min: 0, max: 1000 } as const;
