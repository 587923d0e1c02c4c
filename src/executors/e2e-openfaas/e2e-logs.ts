/** Logs of both E2E APIs: the whole log as a list, again and again while somebody follows. */
import type { LogEntry, LogOptions } from '../../core/executor.js';
import { type CallScope, sleep } from '../../core/scope.js';
import { type Fields, isObject } from '../shared/json.js';

const AGAIN_MS = 1000;

/** @param fetchLog the lines there are now, in the API's own form */
export async function* readListedLogs(
  fetchLog: () => Promise<unknown>,
  { since, follow = false, tail, callId }: LogOptions,
  scope: CallScope,
): AsyncGenerator<LogEntry> {
  /** How often each line was seen: a log without ids may rightly hold a line twice. */
  let seen = new Map<string, number>();
  for (let first = true; ; first = false) {
    const now = new Map<string, number>();
    const fresh: LogEntry[] = [];
    for (const fields of listOf(await fetchLog())) {
      const key = JSON.stringify([fields['timestamp'], fields['message'] ?? fields['text']]);
      const count = (now.get(key) ?? 0) + 1;
      now.set(key, count);
      if (count > (seen.get(key) ?? 0)) fresh.push(entryOf(fields));
    }
    seen = now;
    const wanted = fresh.filter(
      (entry) =>
        (since === undefined || entry.time >= since) &&
        (callId === undefined || entry.callId === callId || entry.message.includes(callId)),
    );
    yield* first && tail !== undefined ? wanted.slice(-tail) : wanted;
    if (!follow) return;
    await sleep(AGAIN_MS, scope);
  }
}

function listOf(value: unknown): readonly Fields[] {
  const list = isObject(value) ? (value['logs'] ?? value['entries'] ?? value['data']) : value;
  return (Array.isArray(list) ? list : []).map((one: unknown) =>
    isObject(one) ? one : { message: String(one) },
  );
}

function entryOf(fields: Fields): LogEntry {
  const { timestamp, message, text, level, stream, call_id: callId } = fields;
  const time = new Date(String(timestamp));
  const isStream = stream === 'stdout' || stream === 'stderr' || stream === 'platform';
  return {
    time: Number.isNaN(time.getTime()) ? new Date(0) : time,
    message: String(message ?? text ?? ''),
    ...(typeof callId === 'string' && { callId }),
    ...(isStream && { stream }),
    ...(fields['truncated'] === true && { truncated: true }),
    ...(!isStream && level === 'error' && { stream: 'stderr' }),
  };
}
