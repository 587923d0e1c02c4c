/** Logs of activations: kept for three days, by DigitalOcean's documentation. */
import type { LogEntry, LogOptions } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { CallScope, cancelled, sleep } from '../../core/scope.js';
import { isObject } from '../shared/json.js';
import { actionPath, activationPath, type FunctionsApi } from './functions-api.js';
import { functionNameOf, type Settings } from './options.js';

/** The most that OpenWhisk gives at once. */
const PAGE = 200;
/** How often new activations are looked for, when following. */
const FOLLOW_MS = 2000;
/** A record is there some time after its call has ended. */
const RECORD_DELAY_MS = 60_000;
/** `2026-01-01T00:00:00.000Z stdout: text` */
const LINE = /^(\S+)\s+(stdout|stderr):\s?(.*)$/s;

/**
 * Oldest first. A call id is not known to OpenWhisk: with `callId` only lines that name it are given.
 * @throws {FaasError} NOT_FOUND when nothing is deployed
 */
export async function* readLogs(
  settings: Settings,
  api: FunctionsApi,
  jobId: JobId,
  options: LogOptions,
): AsyncGenerator<LogEntry> {
  const { signal } = options;
  const scope = new CallScope();
  const stop = () => scope.cancel(cancelled(signal?.reason));
  if (signal?.aborted) stop();
  else signal?.addEventListener('abort', stop, { once: true });
  try {
    yield* follow(new ActivationLogs(settings, api, functionNameOf(settings, jobId), scope), options, scope);
  } catch (failure) {
    // Giving up is how following ends.
    if (!signal?.aborted) throw failure;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

async function* follow(
  logs: ActivationLogs,
  { since, follow: goesOn = false, tail, callId }: LogOptions,
  scope: CallScope,
): AsyncGenerator<LogEntry> {
  const sinceMs = since?.getTime() ?? 0;
  // A record has the time its call began, and is there when the call has ended: one that began this long ago may be new.
  const lookBackMs = (await logs.longestRunMs()) + RECORD_DELAY_MS;
  const seen = new Map<string, number>();
  let newestMs = 0;
  const read = async (activation: Started) =>
    (await logs.lines(activation)).filter(
      ({ time, message }) => time.getTime() >= sinceMs && (callId === undefined || message.includes(callId)),
    );
  for (let first = true; ; first = false) {
    const wanted = first && tail !== undefined ? tail : Infinity;
    const fresh: Started[] = [];
    let last: LogEntry[] = [];
    for await (const activation of logs.newestFirst(Math.max(sinceMs, newestMs) - lookBackMs)) {
      const { id, startMs } = activation;
      newestMs = Math.max(newestMs, startMs);
      const isOld = startMs < newestMs - lookBackMs;
      // The tail is read; what follows only has to be told from what is new later.
      if (last.length >= wanted && (isOld || !goesOn)) break;
      if (seen.has(id)) continue;
      seen.set(id, startMs);
      if (wanted === Infinity) fresh.push(activation);
      else if (last.length < wanted) last = [...(await read(activation)), ...last];
    }
    for (const activation of fresh.reverse()) yield* await read(activation);
    yield* last.slice(Math.max(0, last.length - wanted));
    if (!goesOn) return;
    for (const [id, startMs] of seen) if (startMs < newestMs - lookBackMs) seen.delete(id);
    await sleep(FOLLOW_MS, scope);
  }
}

interface Started {
  readonly id: string;
  readonly startMs: number;
}

class ActivationLogs {
  readonly #settings: Settings;
  readonly #api: FunctionsApi;
  readonly #functionName: string;
  readonly #scope: CallScope;

  constructor(settings: Settings, api: FunctionsApi, functionName: string, scope: CallScope) {
    this.#settings = settings;
    this.#api = api;
    this.#functionName = functionName;
    this.#scope = scope;
  }

  /** By the function's own time limit, or by DigitalOcean's when it is gone and only its logs are left. */
  async longestRunMs(): Promise<number> {
    const action = await this.#get(`${actionPath(this.#functionName)}?code=false`);
    const limits = isObject(action) && isObject(action['limits']) ? action['limits'] : {};
    const { timeout } = limits;
    return typeof timeout === 'number' ? timeout : (this.#settings.limits.timeoutSecs?.max ?? 900) * 1000;
  }

  /** As OpenWhisk lists them; a page is read when it is wanted. */
  async *newestFirst(sinceMs: number): AsyncGenerator<Started> {
    const name = encodeURIComponent(this.#functionName);
    const since = sinceMs > 0 ? `&since=${sinceMs}` : '';
    for (let skip = 0; ; skip += PAGE) {
      const path = `/api/v1/namespaces/_/activations?name=${name}&limit=${PAGE}&skip=${skip}${since}`;
      const page = await this.#get(path);
      const list = Array.isArray(page) ? page : [];
      for (const one of list.filter(isObject))
        yield { id: String(one['activationId']), startMs: Number(one['start'] ?? 0) };
      if (list.length < PAGE) return;
    }
  }

  /** None when they are past their days. */
  async lines({ id, startMs }: Started): Promise<LogEntry[]> {
    const reply = await this.#get(`${activationPath(id)}/logs`);
    const lines = isObject(reply) ? reply['logs'] : undefined;
    return (Array.isArray(lines) ? lines : []).map((line: unknown): LogEntry => {
      const [, time = '', stream, message] = LINE.exec(String(line)) ?? [];
      if (stream === undefined || Number.isNaN(Date.parse(time)))
        return { time: new Date(startMs), message: String(line) };
      return { time: new Date(time), message: message ?? '', stream: stream as 'stdout' | 'stderr' };
    });
  }

  #get(path: string): Promise<unknown> {
    return this.#api.ask('GET', path, this.#functionName, this.#scope);
  }
}
