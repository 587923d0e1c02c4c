/** What a runtime is asked to run. */

import type { CallRequest } from '../domain/call.js';
import type { FunctionConfig } from '../domain/function-config.js';
import type { StdioProtocol } from './stdio-protocol.js';

/** One deployed version of a function. */
export interface FunctionVersion {
  readonly functionId: string;
  /** Of the zip; it names the code folder. */
  readonly sha256: string;
  readonly config: FunctionConfig;
  /** How the bundle wants its bytes; default `json`. */
  readonly protocol?: StdioProtocol;
}

export interface StdioCall {
  readonly version: FunctionVersion;
  /** Unique over all calls. */
  readonly requestId: string;
  readonly request: CallRequest;
  readonly limitMs: number;
  /** Hears what the function prints on stderr while it runs, for its log. */
  readonly onStderr?: (chunk: Buffer) => void;
}
