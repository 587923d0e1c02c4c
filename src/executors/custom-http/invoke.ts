/** The data plane: one call, one request, facts on failure. This is the hot path. */
import { FaasError } from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import type { JobCall, JobResult } from '../../core/job.js';
import type { HttpReply } from '../shared/http.js';
import { AsyncCalls } from './async-calls.js';
import { AttemptKeys } from './attempt-keys.js';
import { callMessage, deadlineOf } from './call-message.js';
import { closed, type PlatformClient } from './client.js';
import { type Discovery, type Offer, SPEC_10 } from './discovery.js';
import type { Settings } from './options.js';
import { readResult } from './result.js';
import type { Routes } from './routes.js';

/** From this size on raw bytes are worth a question to the platform; a JSON array takes 3.6 times as much. */
const WORTH_ASKING_BYTES = 1024;

export class Calls {
  readonly #settings: Settings;
  readonly #client: PlatformClient;
  readonly #routes: Routes;
  readonly #discovery: Discovery;
  readonly #keys = new AttemptKeys();
  readonly #async: AsyncCalls;
  #closed = false;

  constructor(settings: Settings, client: PlatformClient, routes: Routes, discovery: Discovery) {
    this.#settings = settings;
    this.#client = client;
    this.#routes = routes;
    this.#discovery = discovery;
    this.#async = new AsyncCalls(settings, client, routes, discovery, this.#keys);
  }

  /**
   * Not an async function: a call that waits for nothing costs one promise of this file, not two.
   * @throws {FaasError} always, with `executed` telling the truth about this attempt.
   */
  invoke(call: JobCall, context: CallContext): Promise<JobResult> {
    if (this.#closed) return Promise.reject(closed());
    const startedMs = performance.now();
    if (this.#isAsync(call, context)) return this.#async.invoke(call, context, startedMs);
    // A job with an endpoint of its own has nothing from what the platform offers.
    const offer = this.#settings.endpoints.has(call.jobId) ? SPEC_10 : this.#discovery.known;
    // Only what changes the meaning of the call is worth waiting for: with a key a retry does not run it twice.
    if (offer === undefined && (call.idempotent || this.#settings.spec === '1.1')) {
      return this.#discovery.learn(context).then((learnt) => this.#send(call, context, learnt, startedMs));
    }
    return this.#send(call, context, offer, startedMs);
  }

  /** Refuses new calls; resolves when those that consist of several requests are over. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#async.close();
  }

  async #send(
    call: JobCall,
    context: CallContext,
    known: Offer | undefined,
    startedMs: number,
  ): Promise<JobResult> {
    const route = this.#routes.of(call.jobId);
    const offer = known ?? SPEC_10;
    const message = callMessage(route, call, context, offer, this.#discovery.limits.maxPayloadBytes);
    const key = call.idempotent && offer.features.has('idempotency') ? this.#keys.of(call) : undefined;
    if (key !== undefined) message.headers.push('x-faas-idempotency-key', key);
    const reply = await this.#client.send(route.calls, message, context);
    if (reply.status === 415 && offer.features.has('binary')) {
      // Nothing ran. The platform is another one than was asked: the same attempt goes out as spec 1.0.
      this.#discovery.forget();
      return this.#send(call, context, SPEC_10, startedMs);
    }
    if (known === undefined) this.#wishForMore(call, reply);
    try {
      return readResult(reply, call, route.calls.place, this.#client.redact, startedMs);
    } catch (failure) {
      if (key !== undefined && isFinal(failure)) this.#keys.settle(call);
      throw failure;
    }
  }

  #isAsync(call: JobCall, context: CallContext): boolean {
    const { asyncAboveMs } = this.#settings;
    return asyncAboveMs !== undefined && deadlineOf(call, context) - Date.now() > asyncAboveMs;
  }

  /** Asked only after the reply: a platform that is slow to describe itself delays no call. */
  #wishForMore({ args }: JobCall, { body }: HttpReply): void {
    if (args.length >= WORTH_ASKING_BYTES || body.length >= 4 * WORTH_ASKING_BYTES) this.#discovery.wish();
  }
}

/** Did the platform report how the function ended? A reply that makes no sense is no such report. */
function isFinal(failure: unknown): boolean {
  return FaasError.is(failure) && failure.executed === 'yes' && failure.code !== 'PROTOCOL';
}
