/** `/system/logs`: one JSON object a line, whole or followed. */

import type { ServerResponse } from 'node:http';

import type { LogEntry } from '../../store/function-logs.js';
import type { DoorParts } from '../door.js';
import { followLog, type LogFollower } from '../logs-door.js';
import type { Reply } from '../reply.js';
import { find } from './functions.js';
import { empty, text } from './replies.js';

const TYPE = ['Content-Type', 'text/plain; charset=utf-8'];

export function logs(query: URLSearchParams, parts: DoorParts): Reply {
  const { functionLogs, limits } = parts.engine;
  const tail = query.get('tail') || '-1';
  const since = query.get('since') || undefined;
  const sinceMs = since === undefined ? undefined : Date.parse(since);
  if (!/^-?\d{1,9}$/.test(tail) || Number.isNaN(sinceMs)) return text(500, 'unknown log request error (422)');
  const name = query.get('name') ?? '';
  const fn = find(name, query.get('namespace'), parts);
  if (fn === undefined) return empty(200);
  const instance = query.get('instance') || undefined;
  const count = Number(tail) <= 0 ? limits.logRetentionLines : Number(tail);
  const filter = { ...(sinceMs !== undefined && { sinceMs }) };
  const isWanted = (entry: LogEntry): boolean => instance === undefined || entry.instance === instance;
  const toLine = (entry: LogEntry): string =>
    `${JSON.stringify({
      name: fn.name,
      namespace: fn.namespace,
      instance: entry.instance ?? entry.stream,
      timestamp: entry.time,
      text: entry.message,
    })}\n`;
  const newest = (): string =>
    functionLogs
      .tail(fn.id, limits.logRetentionLines, filter)
      .filter(isWanted)
      .slice(-count)
      .map(toLine)
      .join('');
  if (query.get('follow') !== 'true' && query.get('follow') !== '1')
    return { status: 200, body: Buffer.from(newest()), rawHeaders: TYPE };
  const follower: LogFollower = { functionId: fn.id, passes: isWanted, toLine };
  return {
    status: 200,
    body: new Uint8Array(0),
    rawHeaders: TYPE,
    more: (response: ServerResponse) => {
      // In one turn with the subscription: no line is missed, and none comes twice.
      response.write(newest());
      // A reader of these lines knows no empty ones, so nothing is sent while there is nothing to say.
      response.setTimeout(0);
      return followLog(functionLogs, follower, response, parts.stopping, '');
    },
  };
}
