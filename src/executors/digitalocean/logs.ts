/** Logs of activations: kept for three days, by DigitalOcean's documentation. */
import type { LogEntry, LogOptions } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { callContext, sleep } from '../../core/scope.js';
import { isObject, parseObject } from '../shared/json.js';
import type { Client } from './client.js';
import { replyError } from './errors.js';
import type { Namespaces } from './namespace.js';
import { functionNameOf, type Settings } from './options.js';

const PAGE = 30;
/** How often new activations are looked for, when following. */
const FOLLOW_MS = 2000;
/** `2026-01-01T00:00:00.000Z stdout: text` */
const LINE = /^(\S+)\s+(stdout|stderr):\s?(.*)$/s;

/**
 * Oldest first. A call id is not known to OpenWhisk: with `callId` only lines that name it are given.
 * @throws {FaasError} NOT_FOUND when nothing is deployed
 */
export async function* readLogs(
  settings: Settings,
  namespaces: Namespaces,
  jobId: JobId,
  options: LogOptions,
): AsyncGenerator<LogEntry> {
  try {
    yield* follow(settings, namespaces, jobId, options);
  } catch (failure) {
    // Giving up is how following ends.
    if (!options.signal?.aborted) throw failure;
  }
}

async function* follow(
  settings: Settings,
  namespaces: Namespaces,
  jobId: JobId,
  { since, follow: goesOn = false, tail, callId, signal }: LogOptions,
): AsyncGenerator<LogEntry> {
  const functionName = functionNameOf(settings, jobId);
  const scope = callContext(signal === undefined ? {} : { signal });
  const { client } = await namespaces.need(scope, functionName);
  let fromMs = since?.getTime() ?? 0;
  const seen = new Set<string>();
  for (let first = true; ; first = false) {
    const entries: LogEntry[] = [];
    for (const { id, startMs } of await activations(client, functionName, fromMs, scope)) {
      if (seen.has(id)) continue;
      seen.add(id);
      fromMs = Math.max(fromMs, startMs);
      entries.push(...(await linesOf(client, functionName, id, startMs, scope)));
    }
    const wanted = callId === undefined ? entries : entries.filter(({ message }) => message.includes(callId));
    yield* first && tail !== undefined ? wanted.slice(-tail) : wanted;
    if (!goesOn) return;
    await sleep(FOLLOW_MS, scope);
  }
}

type Scope = ReturnType<typeof callContext>;

async function activations(client: Client, functionName: string, sinceMs: number, scope: Scope) {
  const name = encodeURIComponent(functionName);
  const all: { id: string; startMs: number }[] = [];
  for (let skip = 0; ; skip += PAGE) {
    const path = `/api/v1/namespaces/_/activations?name=${name}&limit=${PAGE}&skip=${skip}${sinceMs > 0 ? `&since=${sinceMs}` : ''}`;
    const reply = await client.send('GET', path, functionName, scope);
    if (reply.status !== 200) throw replyError(reply, 'functions', client.place(functionName), client.redact);
    const page = JSON.parse(reply.body.toString('utf8')) as unknown;
    const list = Array.isArray(page) ? page.filter(isObject) : [];
    for (const one of list) all.push({ id: String(one['activationId']), startMs: Number(one['start'] ?? 0) });
    if (list.length < PAGE) return all.sort((a, b) => a.startMs - b.startMs);
  }
}

async function linesOf(
  client: Client,
  functionName: string,
  id: string,
  startMs: number,
  scope: Scope,
): Promise<LogEntry[]> {
  const path = `/api/v1/namespaces/_/activations/${encodeURIComponent(id)}/logs`;
  const reply = await client.send('GET', path, functionName, scope);
  if (reply.status === 404) return []; // past its days
  if (reply.status !== 200) throw replyError(reply, 'functions', client.place(functionName), client.redact);
  const lines = parseObject(reply.body)?.['logs'];
  return (Array.isArray(lines) ? lines : []).map((line: unknown): LogEntry => {
    const [, time = '', stream, message] = LINE.exec(String(line)) ?? [];
    if (stream === undefined || Number.isNaN(Date.parse(time)))
      return { time: new Date(startMs), message: String(line) };
    return { time: new Date(time), message: message ?? '', stream: stream as 'stdout' | 'stderr' };
  });
}
