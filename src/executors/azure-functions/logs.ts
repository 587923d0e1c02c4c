/** Logs of an app, out of Application Insights: what the function wrote, some minutes late. */
import { FaasError } from '../../core/errors.js';
import type { LogEntry, LogOptions } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { sleep } from '../../core/scope.js';
import { inScope } from '../shared/in-scope.js';
import { isObject, parseObject } from '../shared/json.js';
import type { ControlHttp } from './control-http.js';
import { appNameOf, PROVIDER, type Settings } from './options.js';

const SCOPE = 'https://api.applicationinsights.io/.default';
const DEFAULT_SINCE_MS = 24 * 3_600_000;
const REQUEST_TIMEOUT_MS = 60_000;
const PAGE = 1000;
/** Lines of one moment need not all be there at once: a follower looks this far back, and knows what it has given. */
const OVERLAP_MS = 300_000;

/**
 * Oldest first; without `since` those of the last day. A call id is not known to the log: with `callId` only lines
 * that name it are given.
 * @throws {FaasError} UNSUPPORTED without `applicationInsights`
 */
export async function* readLogs(
  settings: Settings,
  http: ControlHttp,
  jobId: JobId,
  options: LogOptions,
): AsyncGenerator<LogEntry> {
  const { since, follow = false, tail, callId, signal } = options;
  const log = new Log(settings, http, appNameOf(settings, jobId), callId, signal);
  // Ids of what may come again, with its time.
  const seen = new Map<string, number>();
  let sinceMs = since?.getTime() ?? Date.now() - DEFAULT_SINCE_MS;
  try {
    if (tail !== undefined) {
      const known = await log.newest(sinceMs, tail, follow ? OVERLAP_MS : 0);
      for (const { id, time } of known) seen.set(id, time.getTime());
      sinceMs = Math.max(sinceMs, (known.at(-1)?.time.getTime() ?? Date.now()) - OVERLAP_MS);
      for (const { time, message } of known.slice(Math.max(0, known.length - tail))) yield { time, message };
      if (!follow) return;
      await log.pause();
    }
    for (;;) {
      let newestMs = 0;
      for await (const { id, time, message } of log.since(sinceMs)) {
        newestMs = time.getTime();
        if (seen.has(id)) continue;
        if (follow) seen.set(id, newestMs);
        yield { time, message };
      }
      if (!follow) return;
      sinceMs = Math.max(sinceMs, newestMs - OVERLAP_MS);
      for (const [id, timeMs] of seen) if (timeMs < sinceMs) seen.delete(id);
      await log.pause();
    }
  } catch (failure) {
    // Giving up is how following ends.
    if (!signal?.aborted) throw failure;
  }
}

interface Line {
  readonly id: string;
  /** As the log has it: to a ten-millionth of a second. */
  readonly timestamp: string;
  readonly time: Date;
  readonly message: string;
}

class Log {
  readonly #settings: Settings;
  readonly #http: ControlHttp;
  readonly #appName: string;
  readonly #url: URL;
  readonly #callId: string | undefined;
  readonly #signal: AbortSignal | undefined;

  constructor(
    settings: Settings,
    http: ControlHttp,
    appName: string,
    callId: string | undefined,
    signal: AbortSignal | undefined,
  ) {
    this.#settings = settings;
    this.#http = http;
    this.#appName = appName;
    this.#url = new URL(`/v1/apps/${applicationId(settings, appName)}/query`, settings.logsEndpoint);
    this.#callId = callId;
    this.#signal = signal;
  }

  /** Oldest first, one page after the other. */
  async *since(sinceMs: number): AsyncGenerator<Line> {
    for await (const page of this.#pages(sinceMs, 'asc', PAGE)) yield* page;
  }

  /** Oldest first: the newest `count`, and all that are no older than `spanMs` before the very newest. */
  async newest(sinceMs: number, count: number, spanMs: number): Promise<Line[]> {
    const found: Line[] = [];
    if (count === 0 && spanMs === 0) return found;
    for await (const page of this.#pages(sinceMs, 'desc', spanMs === 0 ? Math.min(count, PAGE) : PAGE)) {
      found.push(...page);
      const [newestMs = 0, oldestMs = 0] = [found[0], found.at(-1)].map((line) => line?.time.getTime());
      if (found.length >= count && (spanMs === 0 || oldestMs < newestMs - spanMs)) break;
    }
    return found.reverse();
  }

  pause(): Promise<void> {
    return inScope(this.#signal, Infinity, (scope) => sleep(this.#settings.pollMs, scope));
  }

  /** The query API has no pages: each begins behind the last line of the one before. */
  async *#pages(sinceMs: number, order: 'asc' | 'desc', size: number): AsyncGenerator<Line[]> {
    let behind: Line | undefined;
    for (;;) {
      const page = await this.#query(sinceMs, order, size, behind);
      yield page;
      behind = page.at(-1);
      if (page.length < size || behind === undefined) return;
    }
  }

  async #query(sinceMs: number, order: 'asc' | 'desc', size: number, behind: Line | undefined) {
    const cursor = behind === undefined ? [] : [`where ${behindOf(behind, order === 'asc' ? '>' : '<')}`];
    const text = [
      'union traces, exceptions',
      // Names have letters, digits and hyphens alone, so nothing needs to be escaped.
      `where cloud_RoleName =~ '${this.#appName}' and timestamp >= datetime(${new Date(sinceMs).toISOString()})`,
      'project timestamp, message = coalesce(message, outerMessage), itemId',
      ...(this.#callId === undefined ? [] : [`where message contains_cs ${JSON.stringify(this.#callId)}`]),
      ...cursor,
      `order by timestamp ${order}, itemId ${order}`,
      `take ${size}`,
    ].join(' | ');
    const reply = await inScope(this.#signal, REQUEST_TIMEOUT_MS, (scope) =>
      this.#http.send(
        {
          method: 'POST',
          url: this.#url,
          scope: SCOPE,
          what: this.#appName,
          headers: ['content-type', 'application/json', 'accept', 'application/json'],
          body: Buffer.from(JSON.stringify({ query: text })),
        },
        scope,
      ),
    );
    return this.#lines(parseObject(reply.body)?.['tables']);
  }

  #lines(tables: unknown): Line[] {
    const table = Array.isArray(tables) ? tables.find(isObject) : undefined;
    const rows = table?.['rows'];
    if (!Array.isArray(rows)) {
      const functionName = this.#appName;
      const message = `${this.#url.origin} answered a query of the log of ${functionName} without a table.`;
      throw new FaasError({ code: 'PROTOCOL', executed: 'no', provider: PROVIDER, functionName, message });
    }
    return rows
      .filter((row): row is unknown[] => Array.isArray(row))
      .map(([timestamp, message, id]) => ({
        id: String(id),
        timestamp: String(timestamp),
        time: new Date(String(timestamp)),
        message: String(message),
      }));
  }
}

function behindOf({ timestamp, id }: Line, than: '<' | '>'): string {
  const time = `datetime(${timestamp.replace(/[^\dTZ:.+-]/g, '')})`;
  return `timestamp ${than} ${time} or (timestamp == ${time} and strcmp(itemId, ${JSON.stringify(id)}) ${than} 0)`;
}

/** Newer connection strings carry it. */
function applicationId({ applicationInsights }: Settings, functionName: string): string {
  const id = /(?:^|;)ApplicationId=([\w-]+)/i.exec(applicationInsights ?? '')?.[1];
  if (id !== undefined) return id;
  const message = `Logs of ${functionName} need the option \`applicationInsights\`: a connection string with ApplicationId in it.`;
  throw new FaasError({ code: 'UNSUPPORTED', executed: 'no', provider: PROVIDER, functionName, message });
}
