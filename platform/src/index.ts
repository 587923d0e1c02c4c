/** The public door of @jobferry/platform. */

export type { PlatformLimits } from './domain/limits.js';
export type { LogLine } from './domain/log.js';
export { type Platform, type PlatformOptions, startPlatform } from './platform.js';
export type { Isolation } from './runtimes/process-tree.js';
