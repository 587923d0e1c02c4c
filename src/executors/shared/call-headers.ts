/** The facts of a call as HTTP headers, as the custom-FaaS spec 1.1 writes them: shared by both ends. */
import type { Metadata } from '../../core/job.js';

export const OCTETS = 'application/octet-stream';

/** The syntax of a call id in a header. */
export const CALL_ID = /^[A-Za-z0-9._:-]{1,128}$/;

/** Node's servers take 16 KiB of headers in all. */
export const MAX_METADATA_HEADER_BYTES = 8192;

export function encodeMetadata(metadata: Metadata): string {
  return Buffer.from(JSON.stringify(metadata)).toString('base64url');
}

/** Undefined for what is no base64url of a JSON object. Values that are no strings are dropped. */
export function decodeMetadata(header: unknown): Metadata | undefined {
  if (typeof header !== 'string') return undefined;
  try {
    return stringsOf(JSON.parse(Buffer.from(header, 'base64url').toString('utf8')));
  } catch {
    return undefined;
  }
}

/** The entries whose values are strings; undefined for what is no object. */
export function stringsOf(value: unknown): Metadata | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const strings = Object.entries(value).filter(([, entry]) => typeof entry === 'string');
  return Object.fromEntries(strings) as Metadata;
}

/** A figure of at least 0; undefined for anything else. */
export function figureOf(header: unknown): number | undefined {
  return typeof header === 'string' && /^\d+(\.\d+)?$/.test(header) ? Number(header) : undefined;
}
