/** The ways a call can fail, in the words its caller gets. None of them repeats what the function printed on stdout. */

import { messageOf, PlatformError } from '../domain/errors.js';
import type { OutputTail } from './child-output.js';
import type { BootstrapReply } from './stdio-protocol.js';

const STDERR_SHOWN_BYTES = 4 * 1024;

interface Ended {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: OutputTail;
}

export function failedExit(ending: Ended, reply: BootstrapReply | undefined): PlatformError {
  const facts = {
    ...(ending.exitCode !== null && { exit_code: ending.exitCode }),
    ...(ending.signal !== null && { signal: ending.signal }),
    ...tail(ending.stderr),
  };
  if (reply !== undefined && !reply.success) return functionError(reply, facts);
  const how = ending.signal === null ? `exit code ${ending.exitCode}` : `signal ${ending.signal}`;
  const message = `The bootstrap ended with ${how}.`;
  return new PlatformError('FUNCTION_ERROR', message, { executed: 'yes', details: { message, ...facts } });
}

/** The bootstrap ended well and said itself that the job failed. */
export function reportedFailure(reply: BootstrapReply, stderr: OutputTail): PlatformError {
  return functionError(reply, { exit_code: 0, ...tail(stderr) });
}

export function badOutput(reason: string, stderr: OutputTail): PlatformError {
  return new PlatformError('BAD_OUTPUT', `The bootstrap's output cannot be used: ${reason}.`, {
    executed: 'yes',
    details: { message: reason, exit_code: 0, ...tail(stderr) },
  });
}

function functionError(reply: BootstrapReply, facts: Record<string, unknown>): PlatformError {
  return new PlatformError('FUNCTION_ERROR', reply.error.message, {
    executed: 'yes',
    details: { ...reply.error, ...facts },
    ...(reply.result !== undefined && { result: reply.result }),
  });
}

function tail(stderr: OutputTail): { stderr_tail?: string } {
  const text = stderr.text(STDERR_SHOWN_BYTES);
  return text === '' ? {} : { stderr_tail: text };
}

export function timedOut(functionId: string, limitMs: number, stderr: OutputTail): PlatformError {
  const limit = Math.round(limitMs);
  return new PlatformError('TIMEOUT', `Function ${functionId} was killed at its limit of ${limit} ms.`, {
    executed: 'yes',
    details: { limit_ms: limit, ...tail(stderr) },
  });
}

export function outOfMemory(functionId: string, memoryMb: number): PlatformError {
  return new PlatformError(
    'OUT_OF_MEMORY',
    `Function ${functionId} needed more than its ${memoryMb} MiB of memory.`,
    {
      executed: 'yes',
      details: { memory_mb: memoryMb },
    },
  );
}

export function outputTooLarge(maxResultBytes: number): PlatformError {
  return new PlatformError('OUTPUT_TOO_LARGE', `The result is larger than ${maxResultBytes} bytes.`, {
    executed: 'yes',
    details: { max_result_bytes: maxResultBytes },
  });
}

/** The launcher ran, the bootstrap did not. */
export function notExecuted(stderr: OutputTail): PlatformError {
  return notStarted(`the bootstrap could not be executed (${stderr.text(STDERR_SHOWN_BYTES).trim()})`);
}

export function notStarted(reason: string, cause?: unknown): PlatformError {
  return new PlatformError('EXECUTION_ERROR', `The function could not be started: ${reason}.`, {
    details: { reason },
    cause,
  });
}

/** The spawner died with the call in its hands; what the function did until it was killed is not known. */
export function lost(functionId: string): PlatformError {
  return new PlatformError(
    'INFRASTRUCTURE_ERROR',
    `Function ${functionId} was killed, since the process that had started it died.`,
    { executed: 'maybe', details: { reason: 'spawner-ended' } },
  );
}

/** The request never got to the instance, which is gone: another one can have it. */
export class NotReached extends Error {
  override readonly name = 'NotReached';
}

export function abortReason(signal: AbortSignal): PlatformError {
  const { reason } = signal;
  return reason instanceof PlatformError
    ? reason
    : new PlatformError('UNAVAILABLE', messageOf(reason), { executed: 'yes' });
}
