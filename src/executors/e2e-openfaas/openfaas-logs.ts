/** Logs of a gateway: one JSON object a line, while they come. */
import { FaasError } from '../../core/errors.js';
import type { LogEntry, LogOptions } from '../../core/executor.js';
import { type CallScope, sleep } from '../../core/scope.js';
import { isObject, parseJson } from '../shared/json.js';
import type { Api } from './api.js';

/** A gateway says nothing while nothing is logged, and ends the reply at its `write_timeout`. */
const SILENCE_TIMEOUT_MS = 3_600_000;
const AGAIN_MS = 1000;
const MAX_LINE_BYTES = 1024 * 1024;

/**
 * A follower is connected again where the gateway cut it off, and gets no line twice. A call id is known to no
 * gateway: with `callId` only lines that name it are given.
 */
export async function* readGatewayLogs(
  api: Api,
  functionName: string,
  namespace: string,
  { since, follow = false, tail, callId }: LogOptions,
  scope: CallScope,
): AsyncGenerator<LogEntry> {
  let fromMs = since?.getTime();
  /** Lines of the newest moment that was seen: the next connection begins with that moment, and shows them again. */
  let newest = new Set<string>();
  for (let first = true; ; first = false) {
    const shown = newest;
    const query = {
      name: functionName,
      namespace,
      follow: String(follow),
      ...(first && tail !== undefined && { tail: String(tail) }),
      ...(fromMs !== undefined && { since: new Date(fromMs).toISOString() }),
    };
    const request = { method: 'GET', path: '/system/logs', query, what: functionName } as const;
    const stream = await api.stream(request, scope, SILENCE_TIMEOUT_MS);
    if (stream.status !== 200) {
      const body = await collect(stream.body);
      throw api.refusal({ status: stream.status, headers: stream.headers, body }, functionName);
    }
    try {
      for await (const line of linesOf(stream.body)) {
        const entry = entryOf(line);
        if (entry === undefined || shown.has(line)) continue;
        const timeMs = entry.time.getTime();
        if (fromMs === undefined || timeMs > fromMs) {
          fromMs = timeMs;
          newest = new Set();
        }
        newest.add(line);
        if (callId === undefined || entry.message.includes(callId)) yield entry;
      }
    } catch (failure) {
      // The cut of a gateway that ran out of time looks like a broken connection.
      if (!follow || scope.reason !== undefined || !FaasError.is(failure)) throw failure;
    }
    if (!follow) return;
    await sleep(AGAIN_MS, scope);
  }
}

async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = (lines.pop() ?? '').slice(0, MAX_LINE_BYTES);
    for (const line of lines) if (line !== '') yield line;
  }
  if (rest !== '') yield rest;
}

/** Undefined for a line that is no entry. */
function entryOf(line: string): LogEntry | undefined {
  const fields = parseJson(Buffer.from(line));
  if (!isObject(fields) || typeof fields['text'] !== 'string') return undefined;
  const time = new Date(String(fields['timestamp']));
  return { time: Number.isNaN(time.getTime()) ? new Date(0) : time, message: fields['text'] };
}

async function collect(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MAX_LINE_BYTES) break;
  }
  return Buffer.concat(chunks);
}
