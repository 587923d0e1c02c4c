/** The data plane: one call, one POST; what DigitalOcean turns into an activation is asked for until it ends. */
import { FaasError } from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import type { CallMetrics, JobCall, JobId, JobResult, Metadata } from '../../core/job.js';
import { ChildScope, sleep } from '../../core/scope.js';
import { isTransient } from '../shared/control-retry.js';
import { decodeReply, encodeEvent } from '../shared/entry/event.js';
import { isObject, parseObject, textOf } from '../shared/json.js';
import type { Place } from '../shared/transport-error.js';
import { repeatable } from './client.js';
import { type Activation, activationError, replyError } from './errors.js';
import { type Answer, actionPath, activationPath, type FunctionsApi } from './functions-api.js';
import { functionNameOf, PROVIDER, type Settings } from './options.js';

const MAX_EVENT_BYTES = 1024 * 1024;
const BLOCKING = '?blocking=true&result=false';
/** An activation is asked for so many times more when it must have ended by DigitalOcean's own time limit. */
const LATE_POLLS = 120;

/** What DigitalOcean says when it has taken an asynchronous call. */
export interface Accepted {
  /** The activation's id, for `getResult`. */
  readonly requestId: string;
}

interface Ended {
  readonly activation: Activation;
  readonly status: number;
  readonly place: Place;
}

export class Invoker {
  readonly #settings: Settings;
  readonly #api: FunctionsApi;
  readonly #names = new Map<JobId, string>();

  constructor(settings: Settings, api: FunctionsApi) {
    this.#settings = settings;
    this.#api = api;
  }

  /** @throws {FaasError} always, with `executed` telling the truth about this attempt. */
  async invoke(call: JobCall, context: CallContext): Promise<JobResult> {
    const startedMs = performance.now();
    const functionName = this.#nameOf(call.jobId);
    const deadline = Math.min(call.deadline, context.deadline);
    const event = this.#event(functionName, call, deadline, deadline - Date.now());
    const ended = await this.#run(functionName, event, context);
    return resultOf(ended, call.metadata, startedMs);
  }

  /**
   * Hands the call over and comes back: it runs, whoever waits for it or not.
   * @throws {FaasError} `executed: 'no'` means that DigitalOcean did not take it.
   */
  async invokeAsync(call: JobCall, context: CallContext): Promise<Accepted> {
    const functionName = this.#nameOf(call.jobId);
    // The context's deadline is for handing it over. It may wait there: only a point in time says when it is too late.
    const event = this.#event(functionName, call, call.deadline, Infinity);
    const answer = await this.#api.send('POST', actionPath(functionName), functionName, context, event);
    const id = textOf(parseObject(answer.reply.body)?.['activationId']);
    if (answer.reply.status === 202 && id !== undefined) return { requestId: id };
    throw notAnActivation(answer, functionName);
  }

  /** Waits for the end of an activation. @throws {FaasError} what the call failed with, or TIMEOUT while it goes on. */
  async getResult(jobId: JobId, requestId: string, context: CallContext): Promise<JobResult> {
    const startedMs = performance.now();
    return resultOf(await this.#poll(requestId, this.#nameOf(jobId), context, 0), {}, startedMs);
  }

  /** One raw event, and what the function answered: what warming is made of. */
  async ping(functionName: string, event: object, context: CallContext): Promise<unknown> {
    const body = Buffer.from(JSON.stringify(event));
    const { activation, status, place } = await this.#run(functionName, body, context);
    if (activation.response?.success === true) return activation.response.result;
    throw activationError(activation, status, place);
  }

  async #run(functionName: string, body: Buffer, context: CallContext): Promise<Ended> {
    const path = `${actionPath(functionName)}${BLOCKING}`;
    const answer = await this.#api.send('POST', path, functionName, context, body);
    const { status, body: bytes } = answer.reply;
    const fields = parseObject(bytes);
    const id = textOf(fields?.['activationId']);
    if (status === 202 && id !== undefined)
      return this.#poll(id, functionName, context, this.#settings.pollMs);
    if ((status === 200 || status === 502) && isObject(fields?.['response'])) {
      return { activation: fields as Activation, status, place: answer.client.place(functionName) };
    }
    throw notAnActivation(answer, functionName);
  }

  /** It runs, or has run: whatever breaks off here, `executed` is no `no` any more. */
  async #poll(id: string, functionName: string, context: CallContext, delayMs: number): Promise<Ended> {
    const { pollMs, limits } = this.#settings;
    // A call without a deadline must not wait for ever for what OpenWhisk has lost.
    const longestRunMs = (limits.timeoutSecs?.max ?? 900) * 1000 + LATE_POLLS * pollMs;
    const scope = new ChildScope(context, longestRunMs);
    try {
      for (let waitMs = delayMs; ; ) {
        await sleep(waitMs, scope);
        const found = await this.#activation(id, functionName, scope).catch((failure: unknown) => {
          // Throttled, or a gateway or a connection that stumbles: the activation does not care.
          if (scope.reason === undefined && isTransient(failure)) return failure as FaasError;
          throw failure;
        });
        if (found !== undefined && !FaasError.is(found)) return found;
        waitMs = Math.max(pollMs, found?.retryAfterMs ?? 0);
      }
    } catch (failure) {
      if (!FaasError.is(failure)) throw failure;
      const message = `${failure.message} The call went on as activation ${id}.`;
      throw failure.with({ executed: 'maybe', requestId: id, functionName, provider: PROVIDER, message });
    } finally {
      scope.dispose();
    }
  }

  /** Undefined as long as it is not there. */
  async #activation(id: string, functionName: string, scope: ChildScope): Promise<Ended | undefined> {
    const { reply, client } = await this.#api
      .send('GET', activationPath(id), functionName, scope)
      .catch((failure: unknown) => {
        throw repeatable(failure);
      });
    const fields = parseObject(reply.body);
    const place = client.place(functionName);
    if (reply.status === 200 && isObject(fields?.['response']))
      return { activation: fields as Activation, status: 202, place };
    if (reply.status === 404) return undefined;
    throw replyError(reply, 'functions', place, client.redact);
  }

  #nameOf(jobId: JobId): string {
    let name = this.#names.get(jobId);
    if (name === undefined) {
      name = functionNameOf(this.#settings, jobId);
      this.#names.set(jobId, name);
    }
    return name;
  }

  /** @param timeoutMs what is left until `deadline`, where the function starts at once: clocks may differ */
  #event(functionName: string, call: JobCall, deadline: number, timeoutMs: number): Buffer {
    if (deadline <= Date.now()) {
      throw notSent(functionName, 'TIMEOUT', 'the deadline passed before the request was sent');
    }
    const { maxPayloadBytes = Infinity } = this.#settings.limits;
    if (call.args.length > maxPayloadBytes) {
      const why = `the input has ${call.args.length} bytes, the limit is ${maxPayloadBytes}`;
      throw notSent(functionName, 'PAYLOAD_TOO_LARGE', why);
    }
    const event = encodeEvent(call, deadline, 'base64', timeoutMs);
    if (event.length <= MAX_EVENT_BYTES) return event;
    const why = `the event (input, metadata and ids) has ${event.length} bytes, the limit is ${MAX_EVENT_BYTES}`;
    throw notSent(functionName, 'PAYLOAD_TOO_LARGE', why);
  }
}

function resultOf({ activation, status, place }: Ended, sent: Metadata, startedMs: number): JobResult {
  const { response, activationId } = activation;
  if (response?.success !== true) throw activationError(activation, status, place);
  const decoded = decodeReply(Buffer.from(JSON.stringify(response.result ?? null)));
  if (decoded.kind !== 'result') {
    const { functionName } = place;
    throw new FaasError({
      code: 'PROTOCOL',
      executed: 'yes',
      provider: PROVIDER,
      functionName,
      status,
      requestId: activationId,
      message: `${functionName} ran and answered without \`result_base64\`. Package it for the target digitalocean.`,
    });
  }
  return {
    result: decoded.result,
    metadata: { ...sent, ...decoded.metadata },
    metrics: metricsOf(activation, performance.now() - startedMs),
  };
}

function notAnActivation({ reply, client }: Answer, functionName: string): FaasError {
  const place = client.place(functionName);
  if (reply.status !== 200 && reply.status !== 202) return replyError(reply, 'call', place, client.redact);
  return new FaasError({
    code: 'PROTOCOL',
    executed: 'maybe',
    provider: PROVIDER,
    functionName,
    status: reply.status,
    message: `${place.origin} answered a call of ${functionName} with ${reply.body.length} bytes that are no activation.`,
  });
}

/** Only what the activation's annotations say: `initTime` is there for cold starts and for nothing else. */
function metricsOf({ activationId, duration, annotations = [] }: Activation, totalMs: number): CallMetrics {
  const of = (key: string) => annotations.find((one) => one.key === key)?.value;
  const figure = (value: unknown) => (typeof value === 'number' && value >= 0 ? value : undefined);
  const [executionMs, initMs] = [figure(duration), figure(of('initTime'))];
  return {
    totalMs,
    ...(executionMs !== undefined && { executionMs }),
    ...(initMs !== undefined && { initMs }),
    ...(annotations.length > 0 && { coldStart: initMs !== undefined }),
    ...(activationId !== undefined && { requestId: activationId }),
  };
}

function notSent(functionName: string, code: 'PAYLOAD_TOO_LARGE' | 'TIMEOUT', why: string): FaasError {
  const message = `${functionName} was not called on ${PROVIDER}: ${why}.`;
  return new FaasError({ code, executed: 'no', provider: PROVIDER, functionName, message });
}
