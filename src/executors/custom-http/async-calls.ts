/** Asynchronous calls: the platform stores the call, and its record is asked for until it is terminal. */
import { type Executed, FaasError, type FaasErrorCode } from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import type { JobCall, JobResult } from '../../core/job.js';
import { CallScope, sleep } from '../../core/scope.js';
import { OCTETS } from '../shared/call-headers.js';
import type { HttpReply } from '../shared/http.js';
import type { Place } from '../shared/transport-error.js';
import type { AttemptKeys } from './attempt-keys.js';
import { callMessage, deadlineOf } from './call-message.js';
import type { Message, PlatformClient } from './client.js';
import type { Discovery, Offer } from './discovery.js';
import { invocationError, protocolError, replyError } from './errors.js';
import type { Settings } from './options.js';
import { readResult, toResult } from './result.js';
import type { Route, Routes } from './routes.js';
import { decodeReply, parseObject } from './wire.js';

/** How long a platform may be unreachable while a stored call is waited for. */
const OUTAGE_MS = 120_000;
const MIN_PAUSE_MS = 200;
const MAX_PAUSE_MS = 5000;
const CANCEL_TIMEOUT_MS = 5000;
/** How often a call that may not have arrived is sent under its id, in one attempt. The pauses between double. */
const MAX_HAND_OVERS = 8;
const HAND_OVER_PAUSE_MS = 25;

/** Failures of a question that another question may cure; asking changes nothing. */
const PASSING: ReadonlySet<FaasErrorCode> = new Set(['UNAVAILABLE', 'THROTTLED', 'TIMEOUT', 'PROTOCOL']);

/** One call that was, or may have been, accepted. */
interface Accepted {
  readonly route: Route;
  readonly call: JobCall;
  readonly context: CallContext;
  readonly offer: Offer;
  /** The invocation's id: the call's, until an attempt has ended for good. */
  readonly id: string;
  /** `{prefix}/api/invocations/{id}`. */
  readonly path: string;
}

export class AsyncCalls {
  readonly #settings: Settings;
  readonly #client: PlatformClient;
  readonly #routes: Routes;
  readonly #discovery: Discovery;
  readonly #keys: AttemptKeys;
  readonly #running = new Set<Promise<unknown>>();
  readonly #cancels = new Set<Promise<unknown>>();

  constructor(
    settings: Settings,
    client: PlatformClient,
    routes: Routes,
    discovery: Discovery,
    keys: AttemptKeys,
  ) {
    this.#settings = settings;
    this.#client = client;
    this.#routes = routes;
    this.#discovery = discovery;
    this.#keys = keys;
  }

  invoke(call: JobCall, context: CallContext, startedMs: number): Promise<JobResult> {
    const outcome = this.#invoke(call, context, startedMs).finally(() => this.#running.delete(outcome));
    this.#running.add(outcome);
    return outcome;
  }

  async #invoke(call: JobCall, context: CallContext, startedMs: number): Promise<JobResult> {
    const route = this.#routes.of(call.jobId);
    const offer = await this.#discovery.require('async', 'An asynchronous call', context);
    const id = this.#keys.of(call) ?? call.callId;
    const path = `${this.#settings.prefix}/api/invocations/${id}`;
    const accepted: Accepted = { route, call, context, offer, id, path };
    // Under this id the platform knows the call: sent again, it is not run again.
    const named: JobCall = id === call.callId ? call : Object.create(call, { callId: { value: id } });
    const message = callMessage(route, named, context, offer, this.#discovery.limits.maxPayloadBytes);
    message.headers.push('prefer', 'respond-async');

    for (let handOvers = 1; ; handOvers += 1) {
      const handedOver = await this.#handOver(accepted, message, startedMs);
      if ('result' in handedOver) return handedOver.result;
      const { doubt } = handedOver;
      const isLast = handOvers === MAX_HAND_OVERS;
      const pauseMs = isLast ? 0 : HAND_OVER_PAUSE_MS * 2 ** (handOvers - 1);
      const result = await this.#await(accepted, doubt, pauseMs, startedMs);
      if (result !== undefined) return result;
      // Not stored now, but the lost request may still be on its way: only sending it again under the same id,
      // which the platform runs once, can make this certain.
      if (isLast) throw doubt;
    }
  }

  /** Resolves to the result when the platform answered at once, else to why it is doubtful that the call is stored. */
  async #handOver(
    accepted: Accepted,
    message: Message,
    startedMs: number,
  ): Promise<{ result: JobResult } | { doubt: FaasError | undefined }> {
    const { route, call, context, id } = accepted;
    const { place } = route.calls;
    let reply: HttpReply;
    try {
      reply = await this.#client.send(route.calls, message, context);
    } catch (failure) {
      if (!FaasError.is(failure) || !mayHaveArrived(failure)) throw failure;
      if (!isCancelled(context)) return { doubt: failure };
      this.#cancel(accepted);
      throw failure;
    }
    switch (reply.status) {
      case 200: // The preference may be ignored: then this is the result.
        return { result: readResult(reply, call, place, this.#client.redact, startedMs) };
      case 202:
        checkAccepted(reply, id, place);
        return { doubt: undefined };
      default: {
        const failure = replyError(reply, place, this.#client.redact);
        // A gateway in between may have lost the reply of a platform that stored the call.
        if (failure.executed !== 'maybe') throw failure;
        return { doubt: failure };
      }
    }
  }

  /** Lets calls in flight finish, and the last cancellations reach the platform. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#running);
    await Promise.allSettled(this.#cancels);
  }

  /**
   * @param doubt why it is unknown whether the call was accepted
   * @param pauseMs how long to wait when it was not
   */
  async #await(
    accepted: Accepted,
    doubt: FaasError | undefined,
    pauseMs: number,
    startedMs: number,
  ): Promise<JobResult | undefined> {
    try {
      const reply = await this.#terminal(accepted, doubt);
      if (reply !== undefined) return await this.#outcome(reply, accepted, startedMs);
      await sleep(pauseMs * (0.5 + Math.random() / 2), accepted.context);
      return undefined;
    } catch (failure) {
      if (isCancelled(accepted.context)) this.#cancel(accepted);
      throw failure;
    }
  }

  /** The reply that holds the record in its terminal status; undefined when a doubtful call is not stored. */
  async #terminal(accepted: Accepted, doubt: FaasError | undefined): Promise<HttpReply | undefined> {
    const { call, context, offer, path } = accepted;
    for (let known = doubt === undefined; ; known = true) {
      const leftSecs = Math.ceil((deadlineOf(call, context) - Date.now()) / 1000);
      const waitSecs = Math.max(1, Math.min(offer.maxWaitSecs, leftSecs));
      const askedMs = performance.now();
      const reply = await this.#ask(accepted, `${path}?wait=${waitSecs}`, 'application/json');
      if (reply.status === 404 && !known && doubt !== undefined) return undefined;
      const status = statusOf(reply, accepted, this.#client);
      if (status !== 'pending' && status !== 'running') return reply;
      // A platform that does not hold the reply is not asked in a tight loop.
      const restMs = MIN_PAUSE_MS - (performance.now() - askedMs);
      if (restMs > 0) await sleep(restMs, context);
    }
  }

  async #outcome(reply: HttpReply, accepted: Accepted, startedMs: number): Promise<JobResult> {
    const { route, call, id } = accepted;
    const { place } = route.control;
    const { fields, result } = decodeReply(reply.body) ?? { fields: {}, result: undefined };
    if (fields['status'] !== 'completed') {
      const failure = invocationError(fields, place, this.#client.redact);
      if (failure === undefined) throw protocolError(reply, 'maybe', 'named no status of the spec', place);
      this.#keys.settle(call);
      throw failure;
    }
    // A record holds its result; where it leaves it out, the bytes are fetched as they are.
    const bytes = result ?? (await this.#resultBytes(accepted));
    const { metadata, metrics } = toResult(bytes, fields, call, reply, startedMs);
    // The last question's own id says nothing about the call, which the platform knows by this one.
    return { result: bytes, metadata, metrics: { ...metrics, requestId: id } };
  }

  async #resultBytes(accepted: Accepted): Promise<Uint8Array> {
    const reply = await this.#ask(accepted, `${accepted.path}/result`, OCTETS);
    const { place } = accepted.route.control;
    if (reply.status !== 200) throw replyError(reply, place, this.#client.redact).with({ executed: 'yes' });
    const { body } = reply;
    return new Uint8Array(body.buffer, body.byteOffset, body.length);
  }

  /** A question about the invocation, put again through an outage. */
  async #ask({ route, context }: Accepted, path: string, accept: string): Promise<HttpReply> {
    const message = { method: 'GET' as const, path, headers: ['accept', accept] };
    const { place } = route.control;
    const failingSinceMs = performance.now();
    for (let pauseMs = MIN_PAUSE_MS; ; pauseMs = Math.min(MAX_PAUSE_MS, 2 * pauseMs)) {
      let failure: FaasError;
      try {
        const reply = await this.#client.send(route.control, message, context);
        if (reply.status < 500 && reply.status !== 429) return reply;
        failure = replyError(reply, place, this.#client.redact);
      } catch (thrown) {
        if (!FaasError.is(thrown)) throw thrown;
        failure = thrown;
      }
      // How far this question got says nothing about the call, which was handed over before.
      const doubtful = failure.with({ executed: 'maybe' satisfies Executed });
      const outageMs = performance.now() - failingSinceMs;
      if (isCancelled(context) || !PASSING.has(failure.code) || outageMs > OUTAGE_MS) throw doubtful;
      await sleep(Math.max(pauseMs * (0.5 + Math.random() / 2), failure.retryAfterMs ?? 0), context);
    }
  }

  /** Best effort and not waited for: the caller has gone. */
  #cancel({ route, call, offer, path }: Accepted): void {
    this.#keys.settle(call);
    if (!offer.features.has('cancel')) return;
    const scope = new CallScope();
    scope.arm(CANCEL_TIMEOUT_MS);
    const message = {
      method: 'POST' as const,
      path: `${path}/cancel`,
      headers: ['accept', 'application/json'],
    };
    const sent = this.#client
      .send(route.control, message, scope)
      .catch(() => {
        // The platform ends the call at its deadline, or it runs to an end that nobody asks for.
      })
      .finally(() => {
        scope.disarm();
        this.#cancels.delete(sent);
      });
    this.#cancels.add(sent);
  }
}

/** True for a failure that leaves open whether the platform stored the call. */
function mayHaveArrived(failure: unknown): failure is FaasError {
  return FaasError.is(failure) && failure.executed !== 'no';
}

/** @throws {FaasError} when the reply accepts something else. */
function checkAccepted(reply: HttpReply, id: string, place: Place): void {
  const record = parseObject(reply.body.toString('utf8'));
  if (record?.['invocation_id'] === id) return;
  throw protocolError(reply, 'maybe', 'accepted the call under another id', place);
}

/** @throws {FaasError} when the reply is no record. */
function statusOf(reply: HttpReply, { route }: Accepted, client: PlatformClient): unknown {
  const { place } = route.control;
  if (reply.status < 200 || reply.status > 299) {
    throw replyError(reply, place, client.redact).with({ executed: 'maybe' });
  }
  const decoded = decodeReply(reply.body);
  if (decoded !== undefined) return decoded.fields['status'];
  throw protocolError(reply, 'maybe', 'answered with something that is no record', place);
}

function isCancelled(context: CallContext): boolean {
  let cancelled = false;
  context.onCancel(() => {
    cancelled = true;
  })();
  return cancelled;
}
