/** The data plane: one call, one POST of the bytes to the function's own URL, with an ID token made for it. */
import { FaasError } from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import type { JobCall, JobId, JobResult } from '../../core/job.js';
import { entryHeaders, isFromEntry, readEntryReply, warmHeaders } from '../shared/entry-call.js';
import { type HttpReply, untilCancelled } from '../shared/http.js';
import type { Origins } from '../shared/origins.js';
import type { Place } from '../shared/transport-error.js';
import type { Address, Addresses } from './addresses.js';
import { callError } from './errors.js';
import { PROVIDER, type Settings } from './options.js';
import type { Tokens } from './tokens.js';

/** Room for what a result is wrapped in. */
const SPARE_BYTES = 64 * 1024;
const NO_BYTES = new Uint8Array(0);
const pingOf = (jobId: JobId): JobCall => ({
  jobId,
  args: NO_BYTES,
  callId: 'ping',
  attempt: 1,
  deadline: Infinity,
  idempotent: true,
  metadata: {},
});

export class Invoker {
  readonly #settings: Settings;
  readonly #origins: Origins;
  readonly #tokens: Tokens;
  readonly #addresses: Addresses;

  constructor(settings: Settings, origins: Origins, tokens: Tokens, addresses: Addresses) {
    this.#settings = settings;
    this.#origins = origins;
    this.#tokens = tokens;
    this.#addresses = addresses;
  }

  /** @throws {FaasError} always, with `executed` telling the truth about this attempt. */
  async invoke(call: JobCall, context: CallContext): Promise<JobResult> {
    const startedMs = performance.now();
    this.#origins.assertOpen();
    const address = this.#addresses.now(call.jobId) ?? (await this.#addresses.of(call.jobId, context));
    this.#checkSize(call, address);
    const { reply, to } = await this.#send(
      call.jobId,
      address,
      (place) => entryHeaders(call, context, place),
      call.args,
      context,
    );
    const place = placeOf(to);
    if (isFromEntry(reply)) return readEntryReply(reply, call, place, startedMs);
    throw this.#refusal(call.jobId, reply, to);
  }

  /** A ping that runs no job: what warming is made of. */
  async ping(jobId: JobId, holdMs: number, context: CallContext): Promise<HttpReply> {
    const address = await this.#addresses.of(jobId, context);
    const { reply, to } = await this.#send(jobId, address, () => warmHeaders(holdMs), NO_BYTES, context);
    if (!isFromEntry(reply)) throw this.#refusal(jobId, reply, to);
    // Throws what the entry says: a package that cannot be loaded is not warm.
    if (reply.status !== 200) readEntryReply(reply, pingOf(jobId), placeOf(to), 0);
    return reply;
  }

  /** One POST, or two when the first was refused before anything ran: an old token, an old address. */
  async #send(
    jobId: JobId,
    address: Address,
    headersFor: (place: Place) => string[],
    body: Uint8Array,
    context: CallContext,
  ): Promise<{ reply: HttpReply; to: Address }> {
    const token = await this.#token(address, context);
    const reply = await this.#post(address, token, headersFor(placeOf(address)), body, context);
    if (isFromEntry(reply)) return { reply, to: address };
    if (reply.status === 401) {
      this.#tokens.forget(address.audience, token);
      const fresh = await this.#token(address, context);
      const second = await this.#post(address, fresh, headersFor(placeOf(address)), body, context);
      return { reply: second, to: address };
    }
    if (reply.status === 404) {
      const to = await this.#addresses.renew(jobId, address, context);
      if (to !== undefined) {
        const fresh = await this.#token(to, context);
        return { reply: await this.#post(to, fresh, headersFor(placeOf(to)), body, context), to };
      }
    }
    return { reply, to: address };
  }

  #token(address: Address, context: CallContext): Promise<string> | string {
    const known = this.#tokens.identityNow(address.audience);
    return known ?? untilCancelled(this.#tokens.identity(address.audience), placeOf(address), context);
  }

  #post(address: Address, token: string, headers: string[], body: Uint8Array, context: CallContext) {
    headers.push('authorization', `Bearer ${token}`);
    const { maxResultBytes = 32 * 1024 * 1024 } = this.#settings.limits;
    const { origin, path } = address;
    const request = { origin, method: 'POST' as const, path, headers, body };
    return this.#origins.send(
      { ...request, maxReplyBytes: maxResultBytes + SPARE_BYTES },
      placeOf(address),
      context,
    );
  }

  #refusal(jobId: JobId, reply: HttpReply, to: Address): FaasError {
    const failure = callError(reply, placeOf(to), to.audience);
    if (failure.code !== 'NOT_FOUND' || !this.#addresses.mayBeUnrouted(jobId)) return failure;
    const message = `${failure.message} It was deployed a moment ago and may not be routed yet.`;
    return failure.with({ code: 'UNAVAILABLE', retryAfterMs: 1000, message });
  }

  #checkSize({ args }: JobCall, { functionName }: Address): void {
    const { maxPayloadBytes = Infinity } = this.#settings.limits;
    if (args.length <= maxPayloadBytes) return;
    const message = `${functionName} was not called on ${PROVIDER}: the input has ${args.length} bytes, the limit is ${maxPayloadBytes}.`;
    throw new FaasError({
      code: 'PAYLOAD_TOO_LARGE',
      executed: 'no',
      provider: PROVIDER,
      functionName,
      message,
    });
  }
}

function placeOf({ functionName, origin }: Address): Place {
  return { provider: PROVIDER, functionName, origin };
}
