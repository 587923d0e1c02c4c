/** Reads one call off the wire: the JSON body and the optional X-Faas headers. */

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

import { decodeObjectWithBytes } from '../domain/byte-array-json.js';
import type { CallRequest } from '../domain/call.js';
import { PlatformError } from '../domain/errors.js';
import { MAX_JOB_ID } from '../domain/function-id.js';
import { MAX_METADATA_BYTES } from '../domain/limits.js';

const CALL_ID = /^[A-Za-z0-9._:-]{1,128}$/;
const WHOLE_NUMBER = /^[0-9]{1,15}$/;
/** The longest a timer can wait; a budget above it is as good as none. */
const MAX_BUDGET_MS = 2 ** 31 - 1;
const RESPOND_ASYNC = /(^|,)\s*respond-async\s*(;|,|$)/i;
const BASE64URL = /^[A-Za-z0-9_-]*={0,2}$/;

/** What the headers say about a call; checked before the body is read. */
export interface CallHeaders extends Pick<CallRequest, 'attempt' | 'metadata'> {
  readonly callId: string | undefined;
  readonly budgetMs: number | undefined;
  readonly idempotencyKey: string | undefined;
  /** Does the caller prefer an answer before the call has ended? */
  readonly isAsync: boolean;
}

/** @throws PlatformError INVALID_REQUEST that names the header */
export function parseCallHeaders(headers: IncomingHttpHeaders): CallHeaders {
  const budgetMs = wholeNumber(headers, 'X-Faas-Timeout-Ms', 0);
  return {
    callId: name(headers, 'X-Faas-Call-Id'),
    idempotencyKey: name(headers, 'X-Faas-Idempotency-Key'),
    attempt: wholeNumber(headers, 'X-Faas-Attempt', 1) ?? 1,
    metadata: parseMetadata(single(headers, 'x-faas-metadata')),
    budgetMs: budgetMs === undefined ? undefined : Math.min(budgetMs, MAX_BUDGET_MS),
    isAsync: RESPOND_ASYNC.test(single(headers, 'prefer') ?? ''),
  };
}

/** In lower case and without parameters; empty where there is none. */
export function mediaTypeOf(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

/**
 * The job of a call whose body is its args.
 * @throws PlatformError INVALID_REQUEST
 */
export function requireJobId(headers: IncomingHttpHeaders): number {
  const jobId = wholeNumber(headers, 'X-Faas-Job-Id', 0);
  if (jobId === undefined || jobId > MAX_JOB_ID)
    throw invalid(`X-Faas-Job-Id must be a whole number from 0 to ${MAX_JOB_ID}`);
  return jobId;
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
  if (Buffer.byteLength(header, 'base64url') > MAX_METADATA_BYTES)
    throw invalid(`X-Faas-Metadata must not hold more than ${MAX_METADATA_BYTES} bytes`);
  const entries = Object.entries(value);
  if (!entries.every(([, text]) => typeof text === 'string')) throw invalid(refusal);
  return Object.fromEntries(entries);
}

function name(headers: IncomingHttpHeaders, header: string): string | undefined {
  const value = single(headers, header.toLowerCase());
  if (value !== undefined && !CALL_ID.test(value))
    throw invalid(`${header} must be 1 to 128 of A-Z a-z 0-9 . _ : -`);
  return value;
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
