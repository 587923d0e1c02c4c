/** A deployed function as the platform remembers it. */

import { createHash } from 'node:crypto';

import { canonicalConfig, type FunctionConfig } from './function-config.js';

export interface FunctionRecord {
  readonly functionId: string;
  /** Of the zip as uploaded, in hex; it also names the code folder. */
  readonly sha256: string;
  readonly zipBytes: number;
  readonly config: FunctionConfig;
  readonly deployedAt: string;
}

/** The version of a function: a hash over its archive and its configuration, without quotes. */
export function etagOf({ sha256, config }: Pick<FunctionRecord, 'sha256' | 'config'>): string {
  return createHash('sha256')
    .update(`${sha256}\n${canonicalConfig(config)}`)
    .digest('hex')
    .slice(0, 40);
}
