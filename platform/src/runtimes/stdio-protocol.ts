/** The bootstrap protocol: one JSON document in on stdin, one out on stdout, and the environment it runs in. */

import { delimiter, dirname } from 'node:path';

import { decodeObjectWithBytes, encodeObjectWithBytes } from '../domain/byte-array-json.js';
import type { CallRequest } from '../domain/call.js';
import { messageOf } from '../domain/errors.js';
import type { FunctionConfig } from '../domain/function-config.js';
import { MAX_METADATA_BYTES } from '../domain/limits.js';

const SYSTEM_PATH = ['/usr/local/bin', '/usr/bin', '/bin'];
/** Functions find the platform's own Node first, whatever Node the machine has. */
const FUNCTION_PATH = [dirname(process.execPath), ...SYSTEM_PATH].join(delimiter);

/** What a bootstrap answered, checked. */
export interface BootstrapReply {
  readonly success: boolean;
  readonly result: Uint8Array | undefined;
  readonly metadata: Readonly<Record<string, string>> | undefined;
  readonly error: { readonly name?: string; readonly message: string; readonly stack?: string };
}

/** How a bundle wants its bytes: `json` unless its `faas.json` says otherwise. */
export type StdioProtocol = 'json' | 'binary-1';

export function encodeBootstrapRequest(request: CallRequest, deadline: number): Buffer {
  return encodeObjectWithBytes(requestFields(request, deadline), 'args', request.args);
}

/** What every framing tells a bootstrap beside the args. */
export function requestFields(request: CallRequest, deadline: number): object {
  return {
    job_id: request.jobId,
    call_id: request.callId,
    attempt: request.attempt,
    deadline_ms: deadline,
    metadata: request.metadata,
  };
}

/** @returns the reply, or in words why stdout is not one */
export function decodeBootstrapReply(stdout: Buffer): BootstrapReply | string {
  if (stdout.length === 0) return 'stdout is empty';
  try {
    const { fields, bytes } = decodeObjectWithBytes(stdout, 'result');
    if (bytes === 'invalid') return '"result" is not an array of integers from 0 to 255';
    return decodeReplyFields(fields, bytes);
  } catch (error) {
    return `stdout is not one JSON object (${withoutPayload(messageOf(error))})`;
  }
}

/** Checks what every framing carries beside the result. */
export function decodeReplyFields(
  fields: Readonly<Record<string, unknown>>,
  result: Uint8Array | 'absent',
): BootstrapReply | string {
  const success = fields['success'] ?? true;
  const metadata = fields['metadata'] ?? undefined;
  if (typeof success !== 'boolean') return '"success" is not true or false';
  if (metadata !== undefined && !isStrings(metadata)) return '"metadata" is not an object of strings';
  if (metadata !== undefined && Buffer.byteLength(JSON.stringify(metadata)) > MAX_METADATA_BYTES)
    return `"metadata" is larger than ${MAX_METADATA_BYTES} bytes`;
  if (result === 'absent' && success) return '"result" is missing';
  return { success, result: result === 'absent' ? undefined : result, metadata, error: remoteError(fields) };
}

/**
 * A bootstrap started ahead of need learns its call from stdin alone, so it has no FAAS_CALL_ID.
 * @param home the instance's private folder
 */
export function functionEnvironment(
  functionId: string,
  callId: string | undefined,
  home: string,
  config: FunctionConfig,
): Record<string, string> {
  return {
    PATH: FUNCTION_PATH,
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    ...config.env,
    HOME: home,
    TMPDIR: home,
    FAAS_FUNCTION_ID: functionId,
    FAAS_MEMORY_MB: String(config.memoryMb),
    FAAS_TIMEOUT_SECS: String(config.timeoutSecs),
    ...(callId !== undefined && { FAAS_CALL_ID: callId }),
  };
}

function remoteError(fields: Readonly<Record<string, unknown>>): BootstrapReply['error'] {
  const text = (name: string): string | undefined => {
    const value = fields[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const name = text('error_name');
  const stack = text('error_stack');
  return {
    message: text('error') ?? 'the function reported a failure without a reason',
    ...(name !== undefined && { name }),
    ...(stack !== undefined && { stack }),
  };
}

function isStrings(value: unknown): value is Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((item) => typeof item === 'string');
}

/** V8 quotes the text it could not parse; what a function printed must not travel in an error. */
function withoutPayload(message: string): string {
  return message
    .replace(/[,:]? ?(\.\.\.)?".*$/s, '')
    .replace(/Unexpected token .*$/s, 'unexpected character');
}
