/**
 * HTTP requests as calls: the body is the args, everything else travels as metadata, so that the queue keeps them and
 * tells their outcomes like those of any call.
 */

import type { Readable } from 'node:stream';

import type { CallReply, CallRequest } from './call.js';

/** Names as they came, values one after the other, as in Node's `rawHeaders`. */
export type RawHeaders = readonly string[];

export interface WebRequest {
  readonly method: string;
  /** Of the function's own: begins with a slash, without the query. */
  readonly path: string;
  /** As it came, without the question mark. */
  readonly query: string;
  readonly headers: RawHeaders;
  readonly body: Uint8Array;
}

export interface WebReply {
  readonly status: number;
  readonly headers: RawHeaders;
  readonly body: Uint8Array;
}

/** Takes an answer while it comes, instead of having it whole. Resolves when it has come and gone. */
export type WebSink = (head: Omit<WebReply, 'body'>, body: Readable) => Promise<void>;

type Metadata = Readonly<Record<string, string>>;

export function requestMetadata({ method, path, query, headers }: Omit<WebRequest, 'body'>): Metadata {
  return { 'http-request': JSON.stringify({ method, path, query, headers }) };
}

export function requestOf({ metadata, args }: CallRequest): WebRequest {
  const head = JSON.parse(metadata['http-request'] ?? '{}') as Partial<WebRequest>;
  const { method = 'POST', path = '/', query = '', headers = [] } = head;
  return { method, path, query, headers, body: args };
}

export function replyMetadata({ status, headers }: WebReply): Metadata {
  return { 'http-status': String(status), 'http-headers': JSON.stringify(headers) };
}

export function replyOf({ metadata, result }: Pick<CallReply, 'metadata' | 'result'>): WebReply {
  return {
    status: Number(metadata?.['http-status'] ?? 200),
    headers: JSON.parse(metadata?.['http-headers'] ?? '[]') as string[],
    body: result,
  };
}

/** Of one connection, not of the message (RFC 9110, 7.6.1). */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What may travel on, without what `Connection` names and what `drop` does. */
export function endToEnd(headers: RawHeaders, drop: readonly string[] = []): string[] {
  const dropped = new Set([...HOP_BY_HOP, ...drop]);
  for (const [name, value] of pairs(headers)) {
    if (name.toLowerCase() !== 'connection') continue;
    for (const token of value.split(',')) dropped.add(token.trim().toLowerCase());
  }
  return pairs(headers).flatMap(([name, value]) => (dropped.has(name.toLowerCase()) ? [] : [name, value]));
}

/** The first value under a name, whatever its case. */
export function headerOf(headers: RawHeaders, wanted: string): string | undefined {
  return pairs(headers).find(([name]) => name.toLowerCase() === wanted)?.[1];
}

function pairs(headers: RawHeaders): (readonly [string, string])[] {
  return headers.flatMap((name, at) => (at % 2 === 0 ? [[name, headers[at + 1] ?? ''] as const] : []));
}
