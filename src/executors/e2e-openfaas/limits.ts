/** What each profile's API takes, as data with a day and a source. Options may override. */
import type { ProviderLimits } from '../../core/executor.js';

/** A label of RFC 1123, which is what Kubernetes wants. */
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** OpenFaaS states no limit for calls: what a gateway takes is its operator's choice. */
export const OPENFAAS_LIMITS: ProviderLimits = {
  namePattern: LABEL,
  asOf: '2026-11-20',
  source: 'OpenFaaS documentation; faas-provider f53fe636 for names',
};

/** E2E's account API. Its product pages say 600 s where its client takes 900, and names of up to 40 characters. */
export const E2E_LIMITS: ProviderLimits = {
  memoryMb: { min: 128, max: 8192 },
  timeoutSecs: { min: 1, max: 900 },
  namePattern: /^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$/,
  asOf: '2026-11-20',
  source: 'terraform-provider-e2e ca81f089; docs.e2enetworks.com for names',
};

/** The API of E2E's design documents. */
export const E2E_PLATFORM_LIMITS: ProviderLimits = {
  memoryMb: { min: 64, max: 8192 },
  timeoutSecs: { min: 1, max: 900 },
  namePattern: /^[a-z0-9][-a-z0-9]{1,61}[a-z0-9]$/,
  asOf: '2026-11-20',
  source: 'the design documents of E2E Functions',
};

/** NATS takes no message over 1 MB; newer gateways queue in memory and take 256 KB. */
export const MAX_QUEUED_BYTES = 1024 * 1024;

/** CE runs at most 5 copies of a function; E2E's documents say the same. */
export const MAX_REPLICAS = 5;
