/** Logs by Cloud Logging: what the function's Cloud Run service wrote. Entries arrive there some seconds late. */
import type { LogEntry, LogOptions } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { type CallScope, callContext, sleep } from '../../core/scope.js';
import { inScope } from '../shared/in-scope.js';
import { type Fields, isObject } from '../shared/json.js';
import { functionNameOf, type Settings } from './options.js';
import type { Rest } from './rest.js';

const PAGE = 1000;
/** How often new entries are looked for, when following. */
const FOLLOW_MS = 2000;
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
  try {
    yield* follow(settings, rest, functionNameOf(settings, jobId), options);
  } catch (failure) {
    // Giving up is how following ends.
    if (!options.signal?.aborted) throw failure;
  }
}

async function* follow(
  { project }: Settings,
  rest: Rest,
  functionName: string,
  { since, follow: goesOn = false, tail, callId, signal }: LogOptions,
): AsyncGenerator<LogEntry> {
  const waits = callContext(signal === undefined ? {} : { signal });
  const seen = new Set<string>();
  let fromMs = since?.getTime();
  for (let first = true; ; first = false) {
    const filter = [
      'resource.type="cloud_run_revision"',
      `resource.labels.service_name="${functionName}"`,
      ...(fromMs === undefined ? [] : [`timestamp>="${new Date(fromMs).toISOString()}"`]),
      ...(callId === undefined ? [] : [`SEARCH(${JSON.stringify(callId)})`]),
    ].join(' AND ');
    const page = await inScope(signal, REQUEST_TIMEOUT_MS, (scope) =>
      entries(rest, project, functionName, filter, first ? tail : undefined, scope),
    );
    for (const { id, entry } of page) {
      if (seen.has(id)) continue;
      seen.add(id);
      fromMs = Math.max(fromMs ?? 0, entry.time.getTime() - OVERLAP_MS);
      yield entry;
    }
    if (!goesOn) return;
    await sleep(FOLLOW_MS, waits);
  }
}

async function entries(
  rest: Rest,
  project: string,
  functionName: string,
  filter: string,
  tail: number | undefined,
  scope: CallScope,
): Promise<{ id: string; entry: LogEntry }[]> {
  const found: { id: string; entry: LogEntry }[] = [];
  let pageToken: unknown;
  do {
    const body = {
      resourceNames: [`projects/${project}`],
      filter,
      // The newest are wanted first when there is a limit.
      orderBy: tail === undefined ? 'timestamp asc' : 'timestamp desc',
      pageSize: Math.min(tail ?? PAGE, PAGE),
      ...(typeof pageToken === 'string' && { pageToken }),
    };
    const reply = await rest.entries(body, functionName, scope);
    const list = Array.isArray(reply['entries']) ? reply['entries'].filter(isObject) : [];
    found.push(...list.map(entryOf));
    pageToken = reply['nextPageToken'];
  } while (typeof pageToken === 'string' && pageToken !== '' && found.length < (tail ?? Infinity));
  return tail === undefined ? found : found.slice(0, tail).reverse();
}

function entryOf(raw: Fields): { id: string; entry: LogEntry } {
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
