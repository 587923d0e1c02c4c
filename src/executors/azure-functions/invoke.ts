/** The data plane: one call, one POST to the job's app, with the function key in a header. */
import { FaasError } from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import type { JobCall, JobId, JobResult } from '../../core/job.js';
import { entryHeaders, instanceOf, isFromEntry, readEntryReply, warmHeaders } from '../shared/entry-call.js';
import type { HttpReply } from '../shared/http.js';
import type { Origins } from '../shared/origins.js';
import type { Place } from '../shared/transport-error.js';
import type { Access } from './access.js';
import { FUNCTION } from './app-spec.js';
import { callError } from './errors.js';
import { type AppAccess, appNameOf, PROVIDER, type Settings } from './options.js';

/** The host's default route prefix and the function. */
const PATH = `/api/${FUNCTION}`;
/** Azure states no limit of replies; this is what a caller takes. */
const MAX_REPLY_BYTES = 128 * 1024 * 1024;
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
  readonly #access: Access;
  readonly #origins: Origins;
  readonly #names = new Map<JobId, string>();

  constructor(settings: Settings, access: Access, origins: Origins) {
    this.#settings = settings;
    this.#access = access;
    this.#origins = origins;
  }

  /** @throws {FaasError} always, with `executed` telling the truth about this attempt. */
  async invoke(call: JobCall, context: CallContext): Promise<JobResult> {
    const startedMs = performance.now();
    this.#origins.assertOpen();
    const functionName = this.#nameOf(call.jobId);
    const unsent: Place = { provider: PROVIDER, functionName, origin: this.#settings.endpoint };
    const { maxPayloadBytes = Infinity } = this.#settings.limits;
    if (call.args.length > maxPayloadBytes) {
      const message = `${functionName} was not called on ${PROVIDER}: the input has ${call.args.length} bytes, the limit is ${maxPayloadBytes}.`;
      throw new FaasError({
        code: 'PAYLOAD_TOO_LARGE',
        executed: 'no',
        provider: PROVIDER,
        functionName,
        message,
      });
    }
    const headers = () => entryHeaders(call, context, unsent);
    const { reply, access } = await this.#post(call.jobId, call.args, headers, context);
    const place = { ...unsent, origin: access.url };
    if (isFromEntry(reply)) return readEntryReply(reply, call, place, startedMs);
    throw callError(reply, place);
  }

  /**
   * A ping that the entry answers without the job: the instance that answered.
   * @throws {FaasError} also for a package whose entry answers that it cannot be loaded
   */
  async ping(jobId: JobId, holdMs: number, context: Pick<CallContext, 'onCancel'>): Promise<string> {
    const { reply, access } = await this.#post(jobId, NO_BYTES, () => warmHeaders(holdMs), context);
    return this.#warmed(jobId, reply, access);
  }

  /** The same for one address and key, and Azure is asked for nothing: what fails is the app. */
  async pingAt(jobId: JobId, access: AppAccess, context: Pick<CallContext, 'onCancel'>): Promise<string> {
    const reply = await this.#send(jobId, access, warmHeaders(0), NO_BYTES, context);
    return this.#warmed(jobId, reply, access);
  }

  #warmed(jobId: JobId, reply: HttpReply, { url }: AppAccess): string {
    const place = { provider: PROVIDER, functionName: this.#nameOf(jobId), origin: url };
    // Throws what the entry says.
    if (isFromEntry(reply) && reply.status !== 200) readEntryReply(reply, pingOf(jobId), place, 0);
    const instance = isFromEntry(reply) ? instanceOf(reply) : undefined;
    if (instance === undefined) throw callError(reply, place);
    return instance;
  }

  /** @param headers written anew for each request, since they hold the time that is left; refuses what cannot be sent */
  async #post(
    jobId: JobId,
    body: Uint8Array,
    headers: () => string[],
    context: Pick<CallContext, 'onCancel'>,
  ): Promise<{ reply: HttpReply; access: AppAccess }> {
    let written = headers();
    let access = this.#access.known(jobId);
    if (access === undefined) {
      access = await this.#access.need(jobId, context);
      written = headers();
    }
    const reply = await this.#send(jobId, access, written, body, context);
    if (isFromEntry(reply)) return { reply, access };
    if (reply.status === 401) {
      // Refused before anything ran: the key may have been renewed.
      const renewed = await this.#access.renew(jobId, access, context);
      if (renewed !== undefined) {
        const second = await this.#send(jobId, renewed, headers(), body, context);
        return { reply: second, access: renewed };
      }
    }
    // The app may have been made anew, elsewhere: the next call asks where it is.
    if (reply.status === 404) this.#access.forget(jobId);
    return { reply, access };
  }

  #send(
    jobId: JobId,
    { url, functionKey }: AppAccess,
    headers: string[],
    body: Uint8Array,
    context: Pick<CallContext, 'onCancel'>,
  ): Promise<HttpReply> {
    const place = { provider: PROVIDER, functionName: this.#nameOf(jobId), origin: url };
    const message = {
      origin: url,
      method: 'POST' as const,
      path: PATH,
      // Never as `?code=`: a query is what proxies and logs keep.
      headers: [...headers, 'x-functions-key', functionKey],
      body,
      maxReplyBytes: MAX_REPLY_BYTES,
    };
    return this.#origins.send(message, place, context);
  }

  #nameOf(jobId: JobId): string {
    let name = this.#names.get(jobId);
    if (name === undefined) {
      name = appNameOf(this.#settings, jobId);
      this.#names.set(jobId, name);
    }
    return name;
  }
}
