/** Logs of a function, from CloudWatch Logs: entries up to now, and those that follow. */
import type { FilteredLogEvent } from '@aws-sdk/client-cloudwatch-logs';
import { FaasError } from '../../core/errors.js';
import type { LogEntry, LogOptions } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { sleep } from '../../core/scope.js';
import { inScope } from '../shared/in-scope.js';
import type { ControlPlane } from './control-plane.js';
import { LogGroup } from './log-group.js';
import { functionNameOf, PROVIDER, type Settings } from './options.js';

/** CloudWatch takes this long to show what was written; entries that come late are still looked for. */
const LATE_MS = 30_000;
/** The newest entries are looked for in the last minute, then in ten times as much, and so on. */
const FIRST_SPAN_MS = 60_000;
const SPAN_FACTOR = 10;

export async function* readLogs(
  settings: Settings,
  control: ControlPlane,
  jobId: JobId,
  { since, follow = false, tail, callId, signal }: LogOptions,
): AsyncGenerator<LogEntry> {
  if (callId !== undefined) {
    throw unsupported(
      settings,
      jobId,
      "`callId`: Lambda does not know it. The request id in a result's metrics is in the log",
    );
  }
  const group = await LogGroup.open(settings, control, functionNameOf(settings, jobId), signal);
  const overlap = new LogOverlap();
  let fromMs = since?.getTime() ?? 0;
  const pause = () => inScope(signal, Infinity, (scope) => sleep(settings.pollMs, scope));
  try {
    if (tail !== undefined) {
      const newest = await newestEntries(group, tail, fromMs, overlap);
      for (const event of newest.events) {
        yield entryOf(event);
        if (signal?.aborted) return;
      }
      if (!follow) return;
      // Not before what was read: what is older was left out on purpose.
      fromMs = newest.fromMs;
      await pause();
    }
    for (;;) {
      for await (const page of group.pages(Math.max(fromMs, overlap.fromMs))) {
        for (const event of overlap.take(page)) {
          yield entryOf(event);
          if (signal?.aborted) return;
        }
      }
      if (!follow) return;
      await pause();
    }
  } catch (error) {
    // The follower gave up: that is how a log ends.
    if (signal?.aborted) return;
    throw error;
  } finally {
    group.close();
  }
}

/** Backwards through windows that grow: a log of years is not read for its last lines. */
async function newestEntries(
  group: LogGroup,
  tail: number,
  sinceMs: number,
  overlap: LogOverlap,
): Promise<{ readonly events: readonly FilteredLogEvent[]; readonly fromMs: number }> {
  let events: FilteredLogEvent[] = [];
  let toMs: number | undefined;
  for (let spanMs = FIRST_SPAN_MS; ; spanMs *= SPAN_FACTOR) {
    const fromMs = Math.max(sinceMs, Date.now() - spanMs);
    const missing = tail - events.length;
    let found: FilteredLogEvent[] = [];
    for await (const page of group.pages(fromMs, toMs))
      found = last([...found, ...overlap.take(page)], missing);
    events = [...found, ...events];
    if (events.length >= tail || fromMs <= sinceMs) return { events, fromMs };
    toMs = fromMs - 1;
  }
}

function last<T>(list: T[], count: number): T[] {
  return list.slice(Math.max(0, list.length - count));
}

/** The ids of the newest entries: as far back as entries may still come late, and no further. */
export class LogOverlap {
  readonly #times = new Map<string, number>();
  #newestMs = Number.NEGATIVE_INFINITY;

  /** Where the next look begins. */
  get fromMs(): number {
    return this.#newestMs - LATE_MS;
  }

  /** How many ids are remembered. */
  get size(): number {
    return this.#times.size;
  }

  /** Those that were not seen before. */
  take(page: readonly FilteredLogEvent[]): FilteredLogEvent[] {
    const fresh = page.filter(({ eventId }) => eventId === undefined || !this.#times.has(eventId));
    for (const { eventId, timestamp = 0 } of fresh) {
      if (eventId !== undefined) this.#times.set(eventId, timestamp);
      this.#newestMs = Math.max(this.#newestMs, timestamp);
    }
    for (const [id, timeMs] of this.#times) if (timeMs < this.fromMs) this.#times.delete(id);
    return fresh;
  }
}

function entryOf({ timestamp = 0, message = '' }: FilteredLogEvent): LogEntry {
  return { time: new Date(timestamp), message: message.replace(/\n$/, '') };
}

function unsupported(settings: Settings, jobId: JobId, why: string): FaasError {
  const functionName = functionNameOf(settings, jobId);
  const message = `The log of ${functionName} cannot be filtered by ${why}.`;
  return new FaasError({ code: 'UNSUPPORTED', executed: 'no', provider: PROVIDER, functionName, message });
}
