/** A function's log over HTTP, one JSON document a line; with `follow` the answer goes on. */

import type { ServerResponse } from 'node:http';

import type { FunctionLogs, LogEntry, LogFilter } from '../store/function-logs.js';
import { passes } from '../store/function-logs.js';
import type { DoorParts } from './door.js';
import { flag, timestamp, wholeNumber } from './query.js';
import type { Reply } from './reply.js';

const DEFAULT_TAIL = 100;
/** Shorter than the 15 s that the specification promises. */
const HEARTBEAT_MS = 10_000;
/** What a follower may leave unread before it is cut. */
const MAX_BEHIND_BYTES = 4 * 1024 * 1024;

export function logs(functionId: string, query: URLSearchParams, { engine, stopping }: DoorParts): Reply {
  engine.describe(functionId);
  const { functionLogs, limits } = engine;
  const tail = wholeNumber(query, 'tail', DEFAULT_TAIL, 0, limits.logRetentionLines);
  const sinceMs = timestamp(query, 'since');
  const callId = query.get('call_id') ?? undefined;
  const filter = { ...(sinceMs !== undefined && { sinceMs }), ...(callId !== undefined && { callId }) };
  const follows = flag(query, 'follow');
  const newest = (): string => functionLogs.tail(functionId, tail, filter).map(toLine).join('');
  return {
    status: 200,
    body: follows ? new Uint8Array(0) : Buffer.from(newest()),
    headers: { 'Content-Type': 'application/x-ndjson' },
    ...(follows && {
      more: (response: ServerResponse) => {
        // In one turn with the subscription: no line is missed, and none comes twice.
        response.write(newest() || '\n');
        return follow(functionLogs, functionId, filter, response, stopping);
      },
    }),
  };
}

/** Until the client goes, falls too far behind, or the platform stops. */
async function follow(
  functionLogs: FunctionLogs,
  functionId: string,
  filter: LogFilter,
  response: ServerResponse,
  stopping: AbortSignal,
): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const write = (text: string): void => {
    response.write(text);
    if (response.writableLength > MAX_BEHIND_BYTES) response.destroy();
  };
  const heartbeat = setInterval(() => write('\n'), HEARTBEAT_MS);
  const stop = functionLogs.follow(functionId, (entry) => {
    if (passes(entry, filter)) write(toLine(entry));
  });
  response.once('close', ended.resolve);
  stopping.addEventListener('abort', () => ended.resolve(), { once: true });
  if (stopping.aborted || response.destroyed) ended.resolve();
  await ended.promise;
  clearInterval(heartbeat);
  stop();
}

function toLine({ time, stream, message, callId, truncated }: LogEntry): string {
  const line = {
    time,
    stream,
    message,
    ...(callId !== undefined && { call_id: callId }),
    ...(truncated && { truncated }),
  };
  return `${JSON.stringify(line)}\n`;
}
