/** Logs of a function, from CloudWatch Logs: entries up to now, and those that follow. */
import type { CloudWatchLogsClient, FilteredLogEvent } from '@aws-sdk/client-cloudwatch-logs';
import { FaasError } from '../../core/errors.js';
import type { LogEntry, LogOptions } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { CallScope, sleep } from '../../core/scope.js';
import { inScope } from '../shared/in-scope.js';
import { importPeer } from '../shared/peers.js';
import type { ControlPlane } from './control-plane.js';
import { functionNameOf, PROVIDER, type Settings } from './options.js';

const REQUEST_TIMEOUT_MS = 60_000;
/** CloudWatch takes this long to show what was written; entries that come late are still looked for. */
const LATE_MS = 30_000;

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
  const group = `/aws/lambda/${functionNameOf(settings, jobId)}`;
  const sdk = await importPeer(
    'LambdaExecutor',
    '@aws-sdk/client-cloudwatch-logs',
    () => import('@aws-sdk/client-cloudwatch-logs'),
  );
  const client = new sdk.CloudWatchLogsClient({
    region: settings.region,
    ...(settings.logsEndpoint !== undefined && { endpoint: settings.logsEndpoint }),
    credentials: () => control.credentials(group, new CallScope()),
  });
  const pages = (startTime: number | undefined, scope: CallScope) =>
    readPages(client, sdk, { logGroupName: group, ...(startTime !== undefined && { startTime }) }, scope);
  const seen = new Set<string>();
  let fromMs = since?.getTime();
  let last: number | undefined = tail;
  try {
    for (;;) {
      const events = await inScope(signal, REQUEST_TIMEOUT_MS, (scope) => pages(fromMs, scope));
      const fresh = events.filter(({ eventId = '' }) => !seen.has(eventId));
      for (const event of last === undefined ? fresh : fresh.slice(Math.max(0, fresh.length - last))) {
        yield entryOf(event);
        if (signal?.aborted) return;
      }
      for (const { eventId } of fresh) if (eventId !== undefined) seen.add(eventId);
      if (!follow) return;
      last = undefined;
      fromMs = Math.max(fromMs ?? 0, (events.at(-1)?.timestamp ?? 0) - LATE_MS);
      await inScope(signal, REQUEST_TIMEOUT_MS, (scope) => sleep(settings.pollMs, scope));
    }
  } catch (error) {
    // The follower gave up: that is how a log ends.
    if (signal?.aborted) return;
    throw error;
  } finally {
    client.destroy();
  }
}

async function readPages(
  client: CloudWatchLogsClient,
  sdk: typeof import('@aws-sdk/client-cloudwatch-logs'),
  input: { logGroupName: string; startTime?: number },
  scope: CallScope,
): Promise<FilteredLogEvent[]> {
  const events: FilteredLogEvent[] = [];
  let nextToken: string | undefined;
  try {
    do {
      const page = await client.send(
        new sdk.FilterLogEventsCommand({ ...input, ...(nextToken !== undefined && { nextToken }) }),
        { abortSignal: scope.signal },
      );
      events.push(...(page.events ?? []));
      nextToken = page.nextToken;
    } while (nextToken !== undefined);
  } catch (cause) {
    if (scope.reason !== undefined) throw scope.reason;
    const { name, $metadata } = cause as { name?: string; $metadata?: { httpStatusCode?: number } };
    // A function that never ran has no log group yet.
    if (name === 'ResourceNotFoundException') return events;
    throw new FaasError({
      code: name === 'AccessDeniedException' ? 'AUTH' : 'UNAVAILABLE',
      executed: 'no',
      provider: PROVIDER,
      status: $metadata?.httpStatusCode,
      message: `The log ${input.logGroupName} cannot be read (${name ?? 'no reason'}). Check the permission logs:FilterLogEvents.`,
    });
  }
  return events.sort((a, b) => (a.timestamp ?? 0) - (b.timestamp ?? 0));
}

function entryOf({ timestamp = 0, message = '' }: FilteredLogEvent): LogEntry {
  return { time: new Date(timestamp), message: message.replace(/\n$/, '') };
}

function unsupported(settings: Settings, jobId: JobId, why: string): FaasError {
  const functionName = functionNameOf(settings, jobId);
  const message = `The log of ${functionName} cannot be filtered by ${why}.`;
  return new FaasError({ code: 'UNSUPPORTED', executed: 'no', provider: PROVIDER, functionName, message });
}
