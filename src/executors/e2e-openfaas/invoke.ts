/** The data plane: one call, one POST to the address that the API reports. */
import { FaasError } from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import type { JobCall, JobId, JobResult } from '../../core/job.js';
import { CallScope } from '../../core/scope.js';
import { entryHeaders, isFromEntry, readEntryReply, warmHeaders } from '../shared/entry-call.js';
import type { HttpReply } from '../shared/http.js';
import { Origins } from '../shared/origins.js';
import type { Place } from '../shared/transport-error.js';
import { notExecuted } from './api.js';
import { type Credentials, credentialsOf, type Waits } from './auth.js';
import { callError, durationMs, gatewayCallId } from './errors.js';
import { PROVIDER } from './options.js';
import type { Profile } from './profile.js';
import { functionNameOf, type Settings } from './settings.js';

/** A net below the deadlines of calls. */
const SILENCE_TIMEOUT_MS = 3_600_000;

/** Where a function is called. */
export interface Target {
  readonly functionName: string;
  readonly url: string;
  readonly origin: string;
  readonly path: string;
  readonly place: Place;
}

export class Invoker {
  readonly #settings: Settings;
  readonly #profile: Profile;
  readonly #origins: Origins;
  readonly #credentials: Credentials;
  readonly #targets = new Map<JobId, Target>();

  constructor(settings: Settings, profile: Profile) {
    this.#settings = settings;
    this.#profile = profile;
    const { connections, connectTimeoutMs, dispatcher, callAuth, url } = settings;
    const owner = 'E2eOpenFaasExecutor';
    const options = {
      owner,
      connections,
      connectTimeoutMs,
      silenceTimeoutMs: SILENCE_TIMEOUT_MS,
      dispatcher,
    };
    this.#origins = new Origins(options);
    const place = { provider: PROVIDER, functionName: 'the token', origin: url.origin };
    this.#credentials = credentialsOf(
      callAuth,
      (request, context) =>
        this.#origins.send({ ...request, origin: url.origin, maxReplyBytes: 1024 * 1024 }, place, context),
      place,
    );
  }

  /** @throws {FaasError} always, with `executed` telling the truth about this attempt. */
  async invoke(call: JobCall, context: CallContext): Promise<JobResult> {
    const startedMs = performance.now();
    const known = this.#targets.get(call.jobId);
    const target = known ?? (await this.#find(call.jobId, context));
    this.#checkSize(call, target);
    try {
      return await this.#attempt(call, target, context, startedMs);
    } catch (failure) {
      if (!FaasError.is(failure) || failure.code !== 'NOT_FOUND' || failure.executed !== 'no') throw failure;
      this.#targets.delete(call.jobId);
      if (known === undefined) throw failure;
      // It was deployed anew since, somewhere else: nothing ran there.
      const moved = await this.#find(call.jobId, context);
      if (moved.url === known.url) throw failure;
      return this.#attempt(call, moved, context, startedMs);
    }
  }

  /** A ping that the entry answers without the job; a function without our entry would run. */
  async ping(jobId: JobId, holdMs: number, context: CallContext): Promise<HttpReply> {
    const target = this.#targets.get(jobId) ?? (await this.#find(jobId, context));
    const reply = await this.#send(target, warmHeaders(holdMs), new Uint8Array(0), context);
    if (isFromEntry(reply) && reply.status === 200) return reply;
    throw callError(reply, 'entry', target.place);
  }

  /** A request that a gateway queues; the reply is its own. */
  async enqueue(
    call: JobCall,
    url: string,
    headers: readonly string[],
    context: CallContext,
  ): Promise<{ reply: HttpReply; target: Target }> {
    const target = this.#targetOf(functionNameOf(this.#settings, call.jobId), url);
    const own = this.#headers(call, target, context);
    return { reply: await this.#send(target, [...own, ...headers], call.args, context), target };
  }

  /**
   * What a function's reply means, wherever it came in.
   * @throws {FaasError} when it is a failure
   */
  read(reply: HttpReply, call: JobCall, place: Place, startedMs: number): JobResult {
    const requestId = gatewayCallId(reply);
    if (isFromEntry(reply)) {
      const result = readEntryReply(plain(reply), call, place, startedMs);
      return requestId === undefined ? result : { ...result, metrics: { ...result.metrics, requestId } };
    }
    if (this.#settings.payload === 'entry' || reply.status < 200 || reply.status > 299)
      throw callError(reply, this.#settings.payload, place);
    const { body } = reply;
    const executionMs = durationMs(reply);
    return {
      result: new Uint8Array(body.buffer, body.byteOffset, body.length),
      metadata: { ...call.metadata },
      metrics: {
        totalMs: performance.now() - startedMs,
        ...(executionMs !== undefined && { executionMs }),
        ...(requestId !== undefined && { requestId }),
      },
    };
  }

  /** After a deploy or an undeploy: the address may be another. */
  forget(jobId: JobId): void {
    this.#targets.delete(jobId);
  }

  close(): Promise<void> {
    return this.#origins.close();
  }

  async #attempt(call: JobCall, target: Target, context: CallContext, startedMs: number): Promise<JobResult> {
    let reply = await this.#send(target, this.#headers(call, target, context), call.args, context);
    // Refused before anything ran: the token may have gone stale.
    if (reply.status === 401 && !isFromEntry(reply) && this.#credentials.renew())
      reply = await this.#send(target, this.#headers(call, target, context), call.args, context);
    return this.read(reply, call, target.place, startedMs);
  }

  #headers(call: JobCall, { place }: Target, context: CallContext): string[] {
    const headers = entryHeaders(call, context, place);
    const { payload, contentType } = this.#settings;
    if (payload === 'raw') {
      headers[1] = contentType;
      const deadline = Math.min(call.deadline, context.deadline);
      // Makes a watchdog end the function with its caller.
      if (deadline !== Infinity)
        headers.push('x-timeout', `${Math.max(1, Math.ceil(deadline - Date.now()))}ms`);
    }
    return headers;
  }

  #send(
    { origin, path, place }: Target,
    headers: string[],
    body: Uint8Array,
    context: CallContext,
  ): Promise<HttpReply> {
    const { maxReplyBytes, callAuth } = this.#settings;
    const request = { origin, method: 'POST', path, headers, body, maxReplyBytes } as const;
    if (callAuth === undefined) return this.#origins.send(request, place, context);
    return this.#authorization(context).then((authorization) => {
      if (authorization !== undefined) headers.push('authorization', authorization);
      return this.#origins.send(request, place, context);
    });
  }

  async #authorization(context: Waits): Promise<string | undefined> {
    return this.#credentials.authorization(context).catch((failure: unknown) => {
      throw notExecuted(failure);
    });
  }

  /** Asked once, and again when the function is not found there. */
  async #find(jobId: JobId, context: CallContext): Promise<Target> {
    this.#origins.assertOpen();
    const functionName = functionNameOf(this.#settings, jobId);
    const fixed = this.#profile.callUrl?.(functionName);
    const url = fixed ?? (await this.#ask(functionName, context));
    const target = this.#targetOf(functionName, url);
    this.#targets.set(jobId, target);
    return target;
  }

  async #ask(functionName: string, context: CallContext): Promise<string> {
    const scope = new CallScope(context.deadline);
    const leave = context.onCancel((reason) => scope.cancel(reason));
    try {
      const found = await this.#profile.read(functionName, scope);
      if (found?.invokeUrl !== undefined) return found.invokeUrl;
      const why = found === undefined ? 'is not deployed' : `has no address yet (${found.stateText})`;
      throw new FaasError({
        code: found === undefined ? 'NOT_FOUND' : 'UNAVAILABLE',
        executed: 'no',
        provider: PROVIDER,
        functionName,
        message: `${functionName} ${why} at ${this.#settings.url.origin}.`,
      });
    } catch (failure) {
      throw notExecuted(failure);
    } finally {
      leave();
    }
  }

  #targetOf(functionName: string, url: string): Target {
    if (!URL.canParse(url) || !/^https?:/.test(url)) {
      const message = `The API gave an address of ${functionName} that is no http(s) URL.`;
      throw new FaasError({ code: 'PROTOCOL', executed: 'no', provider: PROVIDER, functionName, message });
    }
    const { origin, pathname, search } = new URL(url);
    return {
      functionName,
      url,
      origin,
      path: `${pathname}${search}`,
      place: { provider: PROVIDER, functionName, origin },
    };
  }

  #checkSize({ args }: JobCall, { functionName }: Target): void {
    const { maxPayloadBytes = Infinity } = this.#settings.limits;
    if (args.length <= maxPayloadBytes) return;
    const message = `${functionName} was not called: the input has ${args.length} bytes, the limit is ${maxPayloadBytes}.`;
    throw new FaasError({
      code: 'PAYLOAD_TOO_LARGE',
      executed: 'no',
      provider: PROVIDER,
      functionName,
      message,
    });
  }
}

/** A template that can only write text gets its result as base64. */
function plain(reply: HttpReply): HttpReply {
  if (reply.headers['x-faas-body'] !== 'base64') return reply;
  return { ...reply, body: Buffer.from(reply.body.toString('latin1'), 'base64') };
}
