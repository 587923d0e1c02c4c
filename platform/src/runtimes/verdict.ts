/** Turns the end of a bootstrap's process into the outcome of its call. */

import { constants } from 'node:os';

import type { CallReply } from '../domain/call.js';
import type { PlatformError } from '../domain/errors.js';
import {
  badOutput,
  failedExit,
  notExecuted,
  outOfMemory,
  outputTooLarge,
  reportedFailure,
} from './call-failures.js';
import type { OutputTail } from './child-output.js';
import { wasStarted } from './launch.js';
import type { TreeUsage } from './process-tree.js';
import { decodeBinaryReply } from './stdio-binary.js';
import type { FunctionVersion } from './stdio-call.js';
import { decodeBootstrapReply } from './stdio-protocol.js';

/** How the process ended. `stopped` is set when the platform ended it. */
export interface Ending {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly executionMs: number;
  readonly stdout: Buffer;
  readonly stderr: OutputTail;
  readonly stopped: PlatformError | undefined;
  readonly peakSampledBytes: number | undefined;
}

export interface Circumstances {
  readonly version: FunctionVersion;
  /** The instance's own folder. */
  readonly folder: string;
  readonly isSandboxed: boolean;
  readonly startedAhead: boolean;
  readonly usage: TreeUsage;
  readonly maxResultBytes: number;
}

/** @throws PlatformError for every end but a usable reply */
export function judge(ending: Ending, circumstances: Circumstances): CallReply {
  const { version, folder, isSandboxed, startedAhead, usage, maxResultBytes } = circumstances;
  if (ending.stopped !== undefined) throw ending.stopped;
  if (usage.outOfMemory) throw outOfMemory(version.functionId, version.config.memoryMb);
  const { exitCode } = ending;
  if (exitCode !== null && exitCode !== 0 && !wasStarted({ folder, isSandboxed }))
    throw notExecuted(ending.stderr);
  const decode = version.protocol === 'binary-1' ? decodeBinaryReply : decodeBootstrapReply;
  const reply = decode(ending.stdout);
  if (exitCode !== 0) {
    const signal = ending.signal ?? (isSandboxed ? signalBehind(exitCode) : null);
    throw failedExit({ ...ending, signal }, typeof reply === 'string' ? undefined : reply);
  }
  if (typeof reply === 'string') throw badOutput(reply, ending.stderr);
  if (reply.result !== undefined && reply.result.length > maxResultBytes)
    throw outputTooLarge(maxResultBytes);
  if (!reply.success) throw reportedFailure(reply, ending.stderr);
  const peakMemoryBytes = usage.peakMemoryBytes ?? ending.peakSampledBytes;
  return {
    result: reply.result ?? new Uint8Array(0),
    executionMs: ending.executionMs,
    coldStart: !startedAhead,
    ...(reply.metadata !== undefined && { metadata: reply.metadata }),
    ...(peakMemoryBytes !== undefined && { peakMemoryBytes }),
  };
}

/** A sandbox reports a signal as a shell does, as 128 and its number. */
function signalBehind(exitCode: number | null): NodeJS.Signals | null {
  const found = Object.entries(constants.signals).find(([, number]) => number === (exitCode ?? 0) - 128);
  return found === undefined ? null : (found[0] as NodeJS.Signals);
}
