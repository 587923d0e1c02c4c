/** A deployed function as the platform remembers it. */

import type { FunctionConfig } from './function-config.js';

export interface FunctionRecord {
  readonly functionId: string;
  /** Of the zip as uploaded, in hex; it also names the code folder. */
  readonly sha256: string;
  readonly zipBytes: number;
  readonly config: FunctionConfig;
  readonly deployedAt: string;
}
