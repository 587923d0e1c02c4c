/** Logs by Cloud Logging: what the function's Cloud Run service wrote. Entries arrive there some seconds late. */
import type { LogEntry, LogOptions } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { sleep } from '../../core/scope.js';
import { inScope } from '../shared/in-scope.js';
import { type Fields, isObject } from '../shared/json.js';
import { functionNameOf, type Settings } from './options.js';
import type { Rest } from './rest.js';

const PAGE = 1000;
/** Entries do not arrive in order: those of this long ago are looked for again, and told apart by their ids. */
const OVERLAP_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;

/** Oldest first. With `callId` only entries that name it are given: Google knows no call ids. */
export async function* readLogs(
  settings: Settings,
  rest: Rest,
  jobId: JobId,
  options: LogOptions,
): AsyncGenerator<LogEntry> {
  const { since, follow = false, tail, callId, signal } = options;
  const log = new Log(settings, rest, functionNameOf(settings, jobId), callId, signal);
  try {
    // Ids of what may come again, with its time.
    const seen = new Map<string, number>();
    let fromMs = since?.getTime();
    if (tail !== undefined) {
      const known = await log.newest(fromMs, tail, follow ? OVERLAP_MS : 0);
      for (const { id, entry } of known) seen.set(id, entry.time.getTime());
      fromMs = Math.max(fromMs ?? 0, (known.at(-1)?.entry.time.getTime() ?? Date.now()) - OVERLAP_MS);
      for (const { entry } of known.slice(Math.max(0, known.length - tail))) yield entry;
      if (!follow) return;
      await log.pause();
    }
    for (;;) {
      for await (const { id, entry } of log.since(fromMs)) {
        const timeMs = entry.time.getTime();
        if (seen.has(id)) continue;
        if (follow) seen.set(id, timeMs);
        fromMs = Math.max(fromMs ?? 0, timeMs - OVERLAP_MS);
        yield entry;
      }
      if (!follow) return;
      for (const [id, timeMs] of seen) if (timeMs < (fromMs ?? 0)) seen.delete(id);
      await log.pause();
    }
  } catch (failure) {
    // Giving up is how following ends.
    if (!signal?.aborted) throw failure;
  }
}

interface Known {
  readonly id: string;
  readonly entry: LogEntry;
}

class Log {
  readonly #settings: Settings;
  readonly #rest: Rest;
  readonly #functionName: string;
  readonly #callId: string | undefined;
  readonly #signal: AbortSignal | undefined;

  constructor(
    settings: Settings,
    rest: Rest,
    functionName: string,
    callId: string | undefined,
    signal: AbortSignal | undefined,
  ) {
    this.#settings = settings;
    this.#rest = rest;
    this.#functionName = functionName;
    this.#callId = callId;
    this.#signal = signal;
  }

  /** Oldest first, one page after the other. */
  async *since(fromMs: number | undefined): AsyncGenerator<Known> {
    for await (const page of this.#pages(fromMs, 'asc', PAGE)) yield* page;
  }

  /** Oldest first: the newest `count`, and all that are no older than `spanMs` before the very newest. */
  async newest(fromMs: number | undefined, count: number, spanMs: number): Promise<Known[]> {
    const found: Known[] = [];
    if (count === 0 && spanMs === 0) return found;
    for await (const page of this.#pages(fromMs, 'desc', spanMs === 0 ? Math.min(count, PAGE) : PAGE)) {
      found.push(...page);
      const [newestMs = 0, oldestMs = 0] = [found[0], found.at(-1)].map((one) => one?.entry.time.getTime());
      if (found.length >= count && (spanMs === 0 || oldestMs < newestMs - spanMs)) break;
    }
    return found.reverse();
  }

  pause(): Promise<void> {
    return inScope(this.#signal, Infinity, (scope) => sleep(this.#settings.pollMs, scope));
  }

  async *#pages(
    fromMs: number | undefined,
    order: 'asc' | 'desc',
    pageSize: number,
  ): AsyncGenerator<Known[]> {
    const filter = [
      'resource.type="cloud_run_revision"',
      `resource.labels.service_name="${this.#functionName}"`,
      ...(fromMs === undefined ? [] : [`timestamp>="${new Date(fromMs).toISOString()}"`]),
      ...(this.#callId === undefined ? [] : [`SEARCH(${JSON.stringify(this.#callId)})`]),
    ].join(' AND ');
    const resourceNames = [`projects/${this.#settings.project}`];
    for (let pageToken = ''; ; ) {
      const body = {
        resourceNames,
        filter,
        orderBy: `timestamp ${order}`,
        pageSize,
        ...(pageToken !== '' && { pageToken }),
      };
      const reply = await inScope(this.#signal, REQUEST_TIMEOUT_MS, (scope) =>
        this.#rest.entries(body, this.#functionName, scope),
      );
      const list = Array.isArray(reply['entries']) ? reply['entries'].filter(isObject) : [];
      yield list.map(entryOf);
      const { nextPageToken } = reply;
      if (typeof nextPageToken !== 'string' || nextPageToken === '') return;
      pageToken = nextPageToken;
    }
  }
}

function entryOf(raw: Fields): Known {
  const { insertId, timestamp, textPayload, jsonPayload, logName } = raw;
  const time = new Date(String(timestamp ?? ''));
  const stream = streamOf(String(logName ?? ''));
  const message =
    typeof textPayload === 'string'
      ? textPayload
      : isObject(jsonPayload)
        ? String(jsonPayload['message'] ?? JSON.stringify(jsonPayload))
        : requestLine(raw);
  const entry = {
    time: Number.isNaN(time.getTime()) ? new Date(0) : time,
    message,
    ...(stream !== undefined && { stream }),
  };
  return { id: `${String(insertId)} ${String(timestamp)}`, entry };
}

/** `run.googleapis.com%2Fstdout`, `…%2Fstderr`, `…%2Frequests` and what Google says itself. */
function streamOf(logName: string): LogEntry['stream'] {
  if (logName.endsWith('stdout')) return 'stdout';
  return logName.endsWith('stderr') ? 'stderr' : 'platform';
}

function requestLine({ httpRequest }: Fields): string {
  if (!isObject(httpRequest)) return '';
  const { requestMethod, status, latency } = httpRequest;
  return [requestMethod, status, latency].filter((part) => part !== undefined).join(' ');
}
