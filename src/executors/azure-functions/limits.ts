/** What Azure Functions take, as data with a day and a source. Options may override. */
import type { ProviderLimits } from '../../core/executor.js';

/** Azure's load balancer gives up on a reply after so many seconds, whatever the function's own time limit is. */
export const REPLY_SECS = 230;

/** What an instance of Flex Consumption can have. */
export const FLEX_MEMORY_MB = [512, 2048, 4096] as const;

export const AZURE_LIMITS: ProviderLimits = {
  maxPayloadBytes: 100 * 1024 * 1024,
  // 512 to 4096 on Flex Consumption; EP3 has the most.
  memoryMb: { min: 512, max: 14_336 },
  timeoutSecs: { min: 1, max: REPLY_SECS },
  // Of instances on Flex Consumption, each working on one call.
  maxConcurrency: { min: 40, max: 1000 },
  maxArtifactBytes: 1_000_000_000,
  namePattern: /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,58}[a-zA-Z0-9])$/,
  asOf: '2026-11-20',
  source: 'Microsoft Learn, "Azure Functions scale and hosting", "Flex Consumption plan" and "HTTP triggers"',
};
