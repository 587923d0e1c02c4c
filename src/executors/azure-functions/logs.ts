/** Logs of an app, out of Application Insights: what the function wrote, some minutes late. */
import { FaasError } from '../../core/errors.js';
import type { LogEntry, LogOptions } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { type CallScope, callContext, sleep } from '../../core/scope.js';
import { isObject, parseObject } from '../shared/json.js';
import type { ControlHttp } from './control-http.js';
import { appNameOf, PROVIDER, type Settings } from './options.js';

const SCOPE = 'https://api.applicationinsights.io/.default';
/** How often new lines are looked for, when following. */
const FOLLOW_MS = 5000;
const DEFAULT_SINCE_MS = 24 * 3_600_000;
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
  const appName = appNameOf(settings, jobId);
  const resource = applicationId(settings, appName);
  const scope = callContext(signal === undefined ? {} : { signal });
  const given = new Set<string>();
  let sinceMs = since?.getTime() ?? Date.now() - DEFAULT_SINCE_MS;
  try {
    for (let first = true; ; first = false) {
      const fresh: Line[] = [];
      for (const line of await query(settings, http, resource, appName, sinceMs, scope)) {
        if (given.has(line.id)) continue;
        given.add(line.id);
        fresh.push(line);
      }
      const wanted = callId === undefined ? fresh : fresh.filter(({ message }) => message.includes(callId));
      const shown = first && tail !== undefined ? wanted.slice(Math.max(0, wanted.length - tail)) : wanted;
      for (const { time, message } of shown) yield { time, message };
      if (!follow) return;
      const newestMs = fresh.at(-1)?.time.getTime();
      if (newestMs !== undefined) sinceMs = Math.max(sinceMs, newestMs - OVERLAP_MS);
      await sleep(FOLLOW_MS, scope);
    }
  } catch (failure) {
    // Giving up is how following ends.
    if (!signal?.aborted) throw failure;
  }
}

interface Line {
  readonly id: string;
  readonly time: Date;
  readonly message: string;
}

async function query(
  settings: Settings,
  http: ControlHttp,
  resource: string,
  appName: string,
  sinceMs: number,
  scope: CallScope,
): Promise<Line[]> {
  const url = new URL(`/v1/apps/${resource}/query`, settings.logsEndpoint);
  // Names have letters, digits and hyphens alone, so nothing needs to be escaped.
  const text = [
    'union traces, exceptions',
    `where cloud_RoleName =~ '${appName}' and timestamp >= datetime(${new Date(sinceMs).toISOString()})`,
    'project timestamp, message = coalesce(message, outerMessage), itemId',
    `top ${PAGE} by timestamp desc`,
  ].join(' | ');
  const body = Buffer.from(JSON.stringify({ query: text }));
  const headers = ['content-type', 'application/json', 'accept', 'application/json'];
  const request = { method: 'POST' as const, url, scope: SCOPE, what: appName, headers, body };
  const reply = await http.send(request, scope);
  const tables = parseObject(reply.body)?.['tables'];
  const table = Array.isArray(tables) ? tables.find(isObject) : undefined;
  const rows = table?.['rows'];
  if (!Array.isArray(rows)) {
    const message = `${url.origin} answered a query of the log of ${appName} without a table.`;
    throw new FaasError({
      code: 'PROTOCOL',
      executed: 'no',
      provider: PROVIDER,
      functionName: appName,
      message,
    });
  }
  return rows
    .filter((row): row is unknown[] => Array.isArray(row))
    .map(([time, message, id]) => ({
      id: String(id),
      time: new Date(String(time)),
      message: String(message),
    }))
    .reverse();
}

/** Newer connection strings carry it. */
function applicationId({ applicationInsights }: Settings, functionName: string): string {
  const id = /(?:^|;)ApplicationId=([\w-]+)/i.exec(applicationInsights ?? '')?.[1];
  if (id !== undefined) return id;
  const message = `Logs of ${functionName} need the option \`applicationInsights\`: a connection string with ApplicationId in it.`;
  throw new FaasError({ code: 'UNSUPPORTED', executed: 'no', provider: PROVIDER, functionName, message });
}
