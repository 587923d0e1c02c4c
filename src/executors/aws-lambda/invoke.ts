/** The data plane: one call, one request, facts on failure. This is the hot path. */
import { FaasError } from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import type { CallMetrics, JobCall, JobId, JobResult } from '../../core/job.js';
import { decodeReply, encodeEvent } from '../shared/entry/event.js';
import type { HttpReply } from '../shared/http.js';
import type { HttpStream } from '../shared/http-stream.js';
import type { Place } from '../shared/transport-error.js';
import type { DataPlane } from './data-plane.js';
import { readRefusal, refusalError, requestIdOf } from './errors.js';
import { describesFailure, functionFailure, reportedFailure } from './function-errors.js';
import { MAX_ASYNC_EVENT_BYTES, MAX_SYNC_EVENT_BYTES } from './limits.js';
import { functionNameOf, type Settings } from './options.js';
import { decodeTail, type LambdaReport, readReport } from './report.js';
import { streamResult } from './stream.js';

/** Where the calls of one job go. */
interface Route {
  readonly place: Place;
  readonly path: string;
}

/** What AWS says when it has taken an asynchronous call. */
export interface Accepted {
  readonly requestId: string | undefined;
}

export class Invoker {
  readonly #settings: Settings;
  readonly #plane: DataPlane;
  readonly #routes = new Map<JobId, Route>();

  constructor(settings: Settings, plane: DataPlane) {
    this.#settings = settings;
    this.#plane = plane;
  }

  /** @throws {FaasError} always, with `executed` telling the truth about this attempt. */
  async invoke(call: JobCall, context: CallContext): Promise<JobResult> {
    const startedMs = performance.now();
    const route = this.#route(call.jobId);
    const event = this.#event(route, call, context, 'sync');
    const headers = this.#settings.logTail ? SYNC_WITH_TAIL : SYNC;
    const reply = await this.#plane.send({ path: route.path, headers, body: event }, route.place, context);
    const requestId = requestIdOf(reply.headers);
    const tail = decodeTail(reply.headers['x-amz-log-result']);
    if (tail !== undefined)
      this.#settings.onLogTail?.({ jobId: call.jobId, callId: call.callId, requestId, text: tail });
    const report = tail === undefined ? undefined : readReport(tail, requestId);
    const { result, metadata } = this.#read(reply, report, requestId, route);
    return {
      result,
      metadata: { ...call.metadata, ...metadata },
      metrics: metrics(performance.now() - startedMs, report, requestId),
    };
  }

  /**
   * Hands the call to AWS's own queue, which runs it now or later, and up to two times more when it fails. There is
   * no result: it goes to the destinations of the function.
   * @throws {FaasError} `executed: 'no'` means that AWS did not take it.
   */
  async invokeAsync(call: JobCall, context: CallContext): Promise<Accepted> {
    const route = this.#route(call.jobId);
    const body = this.#event(route, call, context, 'async');
    const reply = await this.#plane.send({ path: route.path, headers: EVENT, body }, route.place, context);
    if (reply.status === 202) return { requestId: requestIdOf(reply.headers) };
    throw this.#refusal(reply, route);
  }

  /**
   * One call whose result is read while it comes; nothing is sent before the first `next()`.
   * @throws {FaasError} from the iteration, with `executed` telling the truth about this attempt.
   */
  async *stream(call: JobCall, context: CallContext): AsyncGenerator<Uint8Array> {
    const { place, path: invocations } = this.#route(call.jobId);
    const body = this.#event({ place }, call, context, 'sync');
    const path = invocations
      .replace('/2015-03-31/', '/2021-11-15/')
      .replace('/invocations', '/response-streaming-invocations');
    const reply = await this.#plane.stream({ path, headers: SYNC, body }, place, context);
    if (Buffer.isBuffer(reply.body)) throw this.#refusal(reply as HttpReply, { place });
    yield* streamResult(reply as HttpStream, place);
  }

  /**
   * Asks whether the function could be called with these credentials, without running it.
   * @throws {FaasError} AUTH, NOT_FOUND, …: why not
   */
  async dryRun(jobId: JobId, context: CallContext): Promise<void> {
    const route = this.#route(jobId);
    const request = { path: route.path, headers: DRY_RUN, body: Buffer.from('{}') };
    const reply = await this.#plane.send(request, route.place, context);
    if (reply.status !== 204) throw this.#refusal(reply, route);
  }

  /** One raw event to a function, and the payload of its answer: what warming is made of. */
  async ping(jobId: JobId, event: object, context: CallContext): Promise<Buffer> {
    const route = this.#route(jobId);
    const request = { path: route.path, headers: SYNC, body: Buffer.from(JSON.stringify(event)) };
    const reply = await this.#plane.send(request, route.place, context);
    if (reply.status !== 200) throw this.#refusal(reply, route);
    if (reply.headers['x-amz-function-error'] === undefined) return reply.body;
    const facts = { status: reply.status, requestId: requestIdOf(reply.headers), report: undefined };
    throw functionFailure(reply.body, facts, route.place);
  }

  #read(reply: HttpReply, report: LambdaReport | undefined, requestId: string | undefined, { place }: Route) {
    if (reply.status !== 200) throw this.#refusal(reply, { place });
    const facts = { status: reply.status, requestId, report };
    if (reply.headers['x-amz-function-error'] !== undefined) throw functionFailure(reply.body, facts, place);
    const decoded = decodeReply(reply.body);
    switch (decoded.kind) {
      case 'result':
        return decoded;
      case 'failure':
        throw reportedFailure(decoded.fields, facts, place);
      case 'nonsense':
        // AWS says so in a header, too; its local emulator only in the payload.
        if (describesFailure(reply.body)) throw functionFailure(reply.body, facts, place);
        throw new FaasError({
          code: 'PROTOCOL',
          executed: 'yes',
          provider: place.provider,
          functionName: place.functionName,
          status: reply.status,
          requestId,
          message: `${place.functionName} ran and answered ${reply.body.length} bytes without \`result_base64\`. Package it for this executor.`,
        });
    }
  }

  #refusal(reply: HttpReply, { place }: Pick<Route, 'place'>): FaasError {
    return refusalError(readRefusal(reply), 'invoke', place, this.#plane.redact);
  }

  #route(jobId: JobId): Route {
    let route = this.#routes.get(jobId);
    if (route === undefined) {
      const functionName = functionNameOf(this.#settings, jobId);
      const { qualifier } = this.#settings;
      const query = qualifier === undefined ? '' : `?Qualifier=${encodeURIComponent(qualifier)}`;
      const path = `/2015-03-31/functions/${encodeURIComponent(functionName)}/invocations${query}`;
      route = { place: this.#plane.place(functionName), path };
      this.#routes.set(jobId, route);
    }
    return route;
  }

  #event(
    { place }: Pick<Route, 'place'>,
    call: JobCall,
    context: CallContext,
    mode: 'sync' | 'async',
  ): Buffer {
    const deadline = Math.min(call.deadline, context.deadline);
    const leftMs = deadline === Infinity ? Infinity : deadline - Date.now();
    if (leftMs <= 0) {
      throw notSent(place, 'TIMEOUT', 'the deadline passed before the request was sent');
    }
    const { maxPayloadBytes = Infinity } = this.#settings.limits;
    if (call.args.length > maxPayloadBytes) {
      throw notSent(
        place,
        'PAYLOAD_TOO_LARGE',
        `the input has ${call.args.length} bytes, the limit is ${maxPayloadBytes}`,
      );
    }
    // An asynchronous call waits in AWS's queue: only a point in time says when it is too late for it.
    const timeoutMs = mode === 'sync' ? leftMs : Infinity;
    const event = encodeEvent(call, deadline, this.#settings.encoding, timeoutMs);
    const maxBytes = mode === 'sync' ? MAX_SYNC_EVENT_BYTES : MAX_ASYNC_EVENT_BYTES;
    if (event.length <= maxBytes) return event;
    throw notSent(
      place,
      'PAYLOAD_TOO_LARGE',
      `the event (input, metadata and ids) has ${event.length} bytes, the limit is ${maxBytes}`,
    );
  }
}

const SYNC = { 'x-amz-invocation-type': 'RequestResponse' } as const;
const SYNC_WITH_TAIL = { ...SYNC, 'x-amz-log-type': 'Tail' } as const;
const EVENT = { 'x-amz-invocation-type': 'Event' } as const;
const DRY_RUN = { 'x-amz-invocation-type': 'DryRun' } as const;

/** Only what the log reports. A cold start is one that had to initialise or restore: never a guess from the time. */
function metrics(
  totalMs: number,
  report: LambdaReport | undefined,
  requestId: string | undefined,
): CallMetrics {
  const id = requestId === undefined ? {} : { requestId };
  if (report === undefined) return { totalMs, ...id };
  const { executionMs, billedMs, initMs, memoryUsedMb } = report;
  return {
    totalMs,
    ...(executionMs !== undefined && { executionMs }),
    ...(billedMs !== undefined && { billedMs }),
    ...(initMs !== undefined && { initMs }),
    ...(memoryUsedMb !== undefined && { memoryUsedMb }),
    coldStart: initMs !== undefined,
    ...id,
  };
}

/** The error of a call that was not sent. */
function notSent(place: Place, code: 'PAYLOAD_TOO_LARGE' | 'TIMEOUT', why: string): FaasError {
  const { provider, functionName } = place;
  const message = `${functionName} was not called on ${provider}: ${why}.`;
  return new FaasError({ code, executed: 'no', provider, functionName, message });
}
