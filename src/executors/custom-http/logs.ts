/** The log of a function as it comes, over as many connections as it takes. */
import { FaasError } from '../../core/errors.js';
import type { LogEntry, LogOptions } from '../../core/executor.js';
import type { JobId } from '../../core/job.js';
import { CallScope, cancelled, sleep } from '../../core/scope.js';
import type { HttpStream } from '../shared/http-stream.js';
import type { Control } from './control.js';
import type { Offer } from './discovery.js';
import { replyError } from './errors.js';
import { LogCursor } from './log-cursor.js';
import { readLines } from './log-lines.js';
import type { Route } from './routes.js';

/** A platform sends at least an empty line every 15 s while a log is followed. */
const SILENCE_TIMEOUT_MS = 45_000;
/** How long a platform may be unreachable while its log is read. */
const OUTAGE_MS = 120_000;
const MIN_PAUSE_MS = 200;
const MAX_PAUSE_MS = 5000;
const MAX_ERROR_BYTES = 64 * 1024;

export class Logs {
  readonly #control: Control;
  readonly #readers = new Set<CallScope>();

  constructor(control: Control) {
    this.#control = control;
  }

  /** Ends by itself without `follow`; with it when the signal aborts, the function is gone or `close` is called. */
  async *read(jobId: JobId, options: LogOptions): AsyncGenerator<LogEntry> {
    const { signal } = options;
    const route = this.#control.route(jobId, 'logs');
    const scope = new CallScope();
    const cancel = () => scope.cancel(cancelled(signal?.reason));
    if (signal?.aborted) cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    this.#readers.add(scope);
    try {
      const offer = await this.#control.discovery.require('logs', 'logs', scope);
      yield* this.#entries(route, options, offer, scope);
    } catch (failure) {
      // Who gives up wants no error.
      if (scope.reason === undefined)
        throw FaasError.is(failure) ? failure.with({ executed: 'no' }) : failure;
    } finally {
      this.#readers.delete(scope);
      signal?.removeEventListener('abort', cancel);
      // Left before its end, the connection is of no use any more.
      scope.cancel(cancelled(undefined));
    }
  }

  close(): void {
    for (const scope of this.#readers) scope.cancel(cancelled(undefined));
  }

  async *#entries(
    route: Route,
    options: LogOptions,
    offer: Offer,
    scope: CallScope,
  ): AsyncGenerator<LogEntry> {
    const cursor = new LogCursor(options, offer.logRetentionLines);
    let failingSinceMs: number | undefined;
    let pauseMs = MIN_PAUSE_MS;
    for (let connected = false; ; ) {
      try {
        const stream = await this.#open(route, cursor.query(), scope);
        // Undeployed while it was followed: there is no more to come.
        if (connected && stream.status === 404) return;
        if (stream.status !== 200) throw await this.#refusal(route, stream);
        connected = true;
        for await (const line of readLines(stream.body, route.control.place)) {
          failingSinceMs = undefined;
          pauseMs = MIN_PAUSE_MS;
          const entry = cursor.take(line);
          if (entry !== undefined) yield entry;
        }
        if (!options.follow) return;
      } catch (failure) {
        failingSinceMs ??= performance.now();
        const outageMs = performance.now() - failingSinceMs;
        if (scope.reason !== undefined || !isPassing(failure) || outageMs > OUTAGE_MS) throw failure;
      }
      await sleep(pauseMs * (0.5 + Math.random() / 2), scope);
      pauseMs = Math.min(MAX_PAUSE_MS, 2 * pauseMs);
    }
  }

  #open(route: Route, query: string, scope: CallScope): Promise<HttpStream> {
    const message = {
      method: 'GET' as const,
      path: `${route.functionPath}/logs${query}`,
      headers: ['accept', 'application/x-ndjson'],
    };
    return this.#control.client.stream(route.control, message, scope, SILENCE_TIMEOUT_MS);
  }

  async #refusal({ control }: Route, { status, headers, body }: HttpStream): Promise<FaasError> {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const piece of body) {
      pieces.push(piece);
      bytes += piece.length;
      if (bytes > MAX_ERROR_BYTES) break;
    }
    const reply = { status, headers, body: Buffer.concat(pieces) };
    return replyError(reply, control.place, this.#control.client.redact);
  }
}

/** A connection that broke, or a platform that cannot answer now. */
function isPassing(failure: unknown): boolean {
  if (!FaasError.is(failure)) return false;
  switch (failure.code) {
    case 'UNAVAILABLE':
    case 'THROTTLED':
    case 'TIMEOUT':
      return true;
    case 'PROTOCOL': // A chunked reply that was cut off; a line that is no log line is said so by its status.
      return failure.status === 200;
    default:
      return false;
  }
}
