/** What DigitalOcean Functions take, as data with a day and a source. Options may override. */
import type { ProviderLimits } from '../../core/executor.js';

const MAX_PARAMETERS_BYTES = 1024 * 1024;
/** Room for everything but the bytes: ids, deadline, metadata, bound parameters. */
const ENVELOPE_BYTES = 32 * 1024;
/** Bytes travel as base64: four characters for three. */
const CARRIED_BYTES = ((MAX_PARAMETERS_BYTES - ENVELOPE_BYTES) * 3) / 4;

export const DIGITALOCEAN_LIMITS: ProviderLimits = {
  maxPayloadBytes: CARRIED_BYTES,
  maxResultBytes: CARRIED_BYTES,
  memoryMb: { min: 128, max: 1024 },
  timeoutSecs: { min: 1, max: 900 },
  // Of the built function; it travels as base64.
  maxArtifactBytes: 48 * 1024 * 1024,
  namePattern: /^\w(?:[\w@ .&-]{0,254}[\w@.&-])?$/,
  asOf: '2025-01-15',
  source: 'DigitalOcean documentation, "Functions limits"; OpenWhisk REST API 1.0 for names',
};
