/** A function's log over HTTP, one JSON document a line; with `follow` the answer goes on. */

import type { ServerResponse } from 'node:http';

import type { FunctionLogs, LogEntry } from '../store/function-logs.js';
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
        const follower = { functionId, toLine, passes: (entry: LogEntry) => passes(entry, filter) };
        return followLog(functionLogs, follower, response, stopping, '\n');
      },
    }),
  };
}

export interface LogFollower {
  readonly functionId: string;
  passes(entry: LogEntry): boolean;
  /** With its line end. */
  toLine(entry: LogEntry): string;
}

/**
 * Until the client goes, falls too far behind, or the platform stops.
 * @param heartbeat written while there is nothing to say
 */
export async function followLog(
  functionLogs: FunctionLogs,
  follower: LogFollower,
  response: ServerResponse,
  stopping: AbortSignal,
  heartbeat: string,
): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const write = (text: string): void => {
    response.write(text);
    if (response.writableLength > MAX_BEHIND_BYTES) response.destroy();
  };
  const beat = heartbeat === '' ? undefined : setInterval(() => write(heartbeat), HEARTBEAT_MS);
  const stop = functionLogs.follow(follower.functionId, (entry) => {
    if (follower.passes(entry)) write(follower.toLine(entry));
  });
  response.once('close', ended.resolve);
  const onStopping = (): void => ended.resolve();
  stopping.addEventListener('abort', onStopping, { once: true });
  if (stopping.aborted || response.destroyed) ended.resolve();
  await ended.promise;
  stopping.removeEventListener('abort', onStopping);
  clearInterval(beat);
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
