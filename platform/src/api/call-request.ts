/** Reads one call off the wire: the JSON body and the optional X-Faas headers. */

import type { IncomingHttpHeaders } from 'node:http';

import { decodeObjectWithBytes } from '../domain/byte-array-json.js';
import type { CallRequest } from '../domain/call.js';
import { PlatformError } from '../domain/errors.js';
import { MAX_JOB_ID } from '../domain/function-id.js';

const CALL_ID = /^[A-Za-z0-9._:-]{1,128}$/;
const WHOLE_NUMBER = /^[0-9]{1,15}$/;
/** The longest a timer can wait; a budget above it is as good as none. */
const MAX_BUDGET_MS = 2 ** 31 - 1;
const BASE64URL = /^[A-Za-z0-9_-]*={0,2}$/;

/** What the headers say about a call; checked before the body is read. */
export type CallHeaders = Pick<CallRequest, 'attempt' | 'budgetMs' | 'metadata'> & {
  readonly callId: string | undefined;
};

/** @throws PlatformError INVALID_REQUEST that names the header */
export function parseCallHeaders(headers: IncomingHttpHeaders): CallHeaders {
  const callId = single(headers, 'x-faas-call-id');
  if (callId !== undefined && !CALL_ID.test(callId))
    throw invalid('X-Faas-Call-Id must be 1 to 128 of A-Z a-z 0-9 . _ : -');
  const attempt = wholeNumber(headers, 'X-Faas-Attempt', 1) ?? 1;
  const budgetMs = wholeNumber(headers, 'X-Faas-Timeout-Ms', 0);
  const metadata = parseMetadata(single(headers, 'x-faas-metadata'));
  return {
    callId,
    attempt,
    metadata,
    ...(budgetMs !== undefined && { budgetMs: Math.min(budgetMs, MAX_BUDGET_MS) }),
  };
}

/** @throws PlatformError INVALID_REQUEST or PAYLOAD_TOO_LARGE */
export function parseCallBody(body: Buffer, maxArgsBytes: number): { jobId: number; args: Uint8Array } {
  let decoded: ReturnType<typeof decodeObjectWithBytes>;
  try {
    decoded = decodeObjectWithBytes(body, 'args');
  } catch (error) {
    // The parser's own message would quote the payload.
    throw invalid('The body must be one JSON object in UTF-8', { cause: error });
  }
  const jobId = decoded.fields['job_id'];
  if (typeof jobId !== 'number' || !Number.isInteger(jobId) || jobId < 0 || jobId > MAX_JOB_ID) {
    throw invalid(`job_id must be a whole number from 0 to ${MAX_JOB_ID}`);
  }
  if (typeof decoded.bytes === 'string') throw invalid('args must be an array of integers from 0 to 255');
  if (decoded.bytes.length > maxArgsBytes) {
    throw new PlatformError('PAYLOAD_TOO_LARGE', `args are larger than ${maxArgsBytes} bytes.`, {
      details: { limit: maxArgsBytes },
    });
  }
  return { jobId: jobId + 0, args: decoded.bytes };
}

function parseMetadata(header: string | undefined): Readonly<Record<string, string>> {
  if (header === undefined) return {};
  const refusal = 'X-Faas-Metadata must be the base64url of a JSON object of strings';
  if (!BASE64URL.test(header)) throw invalid(refusal);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(header, 'base64url')));
  } catch (error) {
    throw invalid(refusal, { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(refusal);
  const entries = Object.entries(value);
  if (!entries.every(([, text]) => typeof text === 'string')) throw invalid(refusal);
  return Object.fromEntries(entries);
}

function wholeNumber(headers: IncomingHttpHeaders, name: string, min: number): number | undefined {
  const text = single(headers, name.toLowerCase());
  if (text === undefined) return undefined;
  if (!WHOLE_NUMBER.test(text) || Number(text) < min)
    throw invalid(`${name} must be a whole number of at least ${min}`);
  return Number(text);
}

function single(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

function invalid(message: string, facts: { readonly cause?: unknown } = {}): PlatformError {
  return new PlatformError('INVALID_REQUEST', `${message}.`, facts);
}
