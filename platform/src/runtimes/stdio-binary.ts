/**
 * The framing `binary-1`, for bundles that declare it: one line of JSON, then raw bytes, in both directions. The
 * bytes of a call are then never written as text.
 */

import type { CallRequest } from '../domain/call.js';
import {
  type BootstrapReply,
  decodeBootstrapReply,
  decodeReplyFields,
  requestFields,
} from './stdio-protocol.js';

/** Room for the header line of a reply: metadata and an error with its stack. */
const MAX_HEADER_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;

/** The line and the args apart, so that the args are not copied. */
export function encodeBinaryRequest(request: CallRequest, deadline: number): [Buffer, Uint8Array] {
  const header = { ...requestFields(request, deadline), args_length: request.args.length };
  return [Buffer.from(`${JSON.stringify(header)}\n`), request.args];
}

/**
 * A header line with `result_length` and that many bytes, or JSON as without the framing.
 * @returns the reply, or in words why stdout is not one
 */
export function decodeBinaryReply(stdout: Buffer): BootstrapReply | string {
  const end = stdout.subarray(0, MAX_HEADER_BYTES).indexOf(LINE_FEED);
  const fields = end === -1 ? undefined : headerOf(stdout.subarray(0, end));
  if (fields === undefined) return decodeBootstrapReply(stdout);
  const length = fields['result_length'];
  const body = stdout.subarray(end + 1);
  if (typeof length !== 'number') return '"result_length" is not a number';
  if (length !== body.length)
    return `"result_length" is ${length}, but ${body.length} bytes follow the header line`;
  return decodeReplyFields(fields, body);
}

function headerOf(line: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line));
    if (typeof value !== 'object' || value === null || !('result_length' in value)) return undefined;
    return { ...value };
  } catch {
    return undefined;
  }
}
