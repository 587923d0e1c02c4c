/** One attempt of a call, as a door hands it to the engine and as a runtime answers it. */

export interface CallRequest {
  readonly jobId: number;
  readonly args: Uint8Array;
  /** The caller's name of the logical call, the same over all attempts. */
  readonly callId: string;
  readonly attempt: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** What is left of the caller's budget when the request arrives; undefined means only timeout_secs limits. */
  readonly budgetMs?: number;
}

export interface CallReply {
  readonly result: Uint8Array;
  readonly metadata?: Readonly<Record<string, string>>;
  /** From the start of the process to its end. */
  readonly executionMs: number;
  /** Absent when nothing measured it. */
  readonly peakMemoryBytes?: number;
  readonly coldStart: boolean;
}
