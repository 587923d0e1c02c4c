/** The public door of @jobferry/platform. */

export type { OpenFaasOptions } from './api/openfaas/settings.js';
export {
  type CreatedKey,
  type CreateKeyOptions,
  createKey,
  type KeyFolder,
  type KeyRecord,
  type KeyRight,
  listKeys,
  revokeKey,
} from './auth/keys.js';
export type { PlatformLimits } from './domain/limits.js';
export type { LogLine } from './domain/log.js';
export { type Platform, type PlatformOptions, startPlatform } from './platform.js';
export type { ScalerOptions } from './pool/scaler.js';
export type { StartAheadOptions } from './pool/started-ahead.js';
export type { RuntimeStats } from './pool/stdio-runtime.js';
export type { Isolation } from './runtimes/process-tree.js';
