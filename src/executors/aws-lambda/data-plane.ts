/** Signed requests to the Lambda API over undici: what calls go through. Nothing of the SDK is loaded here. */
import type { FaasError } from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import { exchange, type HttpReply, untilCancelled } from '../shared/http.js';
import { type HttpStream, openStream } from '../shared/http-stream.js';
import { OriginPool } from '../shared/origin-pool.js';
import type { Place } from '../shared/transport-error.js';
import { type AwsCredentials, CredentialCache } from './credentials.js';
import { isExpired, isSkewed, type Redact, readRefusal } from './errors.js';
import { config, PROVIDER, type Settings } from './options.js';
import { LambdaSigner, type Signable } from './signer.js';

/** The longest a function runs is 900 s; a server silent for longer has gone. */
const SILENCE_TIMEOUT_MS = 1_000_000;
/** Lambda answers with 6 MB at most. */
const MAX_REPLY_BYTES = 8 * 1024 * 1024;
/** AWS refuses signatures that are more than five minutes off. */
const SKEW_WORTH_MENDING_MS = 60_000;

export class DataPlane {
  readonly credentials: CredentialCache;
  readonly #settings: Settings;
  readonly #signer: LambdaSigner;
  readonly #pool: OriginPool;
  /** What must be added to our clock to get AWS's, once AWS has complained. */
  #skewMs = 0;
  #closing: Promise<void> | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.credentials = new CredentialCache(settings.credentials);
    this.#signer = new LambdaSigner(new URL(settings.origin).host, settings.region);
    const { connections, connectTimeoutMs, tls, dispatcher } = settings;
    const options = { connections, connectTimeoutMs, tls, silenceTimeoutMs: SILENCE_TIMEOUT_MS };
    this.#pool = new OriginPool(settings.origin, options, dispatcher);
  }

  /** What errors call the function `functionName`. */
  place(functionName: string): Place {
    return { provider: PROVIDER, functionName, origin: this.#settings.origin };
  }

  /**
   * Sends one request; once more when it was refused for expired credentials or a wrong clock, before anything ran.
   * @throws {FaasError} when there is no complete reply.
   */
  async send(request: Signable, place: Place, context: Pick<CallContext, 'onCancel'>): Promise<HttpReply> {
    if (this.#closing !== undefined) throw closed(place);
    const found = this.credentials.get();
    const credentials = found instanceof Promise ? await untilCancelled(found, place, context) : found;
    const reply = await this.#exchange(request, credentials, place, context);
    if (reply.status !== 403 && reply.status !== 400) return reply;
    const better = await this.#betterSigner(reply, credentials, place, context);
    return better === undefined ? reply : this.#exchange(request, better, place, context);
  }

  /**
   * The same for a reply that is read while it comes. A refusal is read whole, as `send` gives it.
   * @throws {FaasError} when there is no reply.
   */
  async stream(
    request: Signable,
    place: Place,
    context: Pick<CallContext, 'onCancel' | 'signal'>,
  ): Promise<HttpStream | HttpReply> {
    if (this.#closing !== undefined) throw closed(place);
    const credentials = await untilCancelled(Promise.resolve(this.credentials.get()), place, context);
    const reply = await this.#open(request, credentials, place, context);
    if (reply.status === 200) return reply;
    const refusal = await whole(reply);
    const better = await this.#betterSigner(refusal, credentials, place, context);
    if (better === undefined) return refusal;
    const second = await this.#open(request, better, place, context);
    return second.status === 200 ? second : whole(second);
  }

  /** Takes the caller's own credentials out of a text that came from outside. */
  readonly redact: Redact = (text) => {
    let clean = text;
    for (const secret of this.credentials.secrets()) clean = clean.replaceAll(secret, '[redacted]');
    return clean;
  };

  /** Requests in flight may finish; new ones fail with CONFIG. */
  close(): Promise<void> {
    this.#closing ??= this.#pool.close();
    return this.#closing;
  }

  assertOpen(): void {
    if (this.#closing !== undefined) throw config('is closed. Make a new one');
  }

  async #betterSigner(
    reply: HttpReply,
    refused: AwsCredentials,
    place: Place,
    context: Pick<CallContext, 'onCancel'>,
  ): Promise<AwsCredentials | undefined> {
    const refusal = readRefusal(reply);
    if (isExpired(refusal)) return untilCancelled(this.credentials.renew(refused), place, context);
    const theirMs = Date.parse(String(reply.headers['date']));
    const skewMs = theirMs - Date.now();
    if (!isSkewed(refusal) || !(Math.abs(skewMs - this.#skewMs) > SKEW_WORTH_MENDING_MS)) return undefined;
    this.#skewMs = skewMs;
    return refused;
  }

  async #open(
    request: Signable,
    credentials: AwsCredentials,
    place: Place,
    context: Pick<CallContext, 'onCancel' | 'signal'>,
  ): Promise<HttpStream> {
    const headers = this.#signer.sign(request, credentials, Date.now() + this.#skewMs);
    const { path, body } = request;
    const message = { origin: this.#settings.origin, method: 'POST' as const, path, headers, body };
    const dispatcher = await untilCancelled(this.#pool.open(), place, context);
    return openStream(dispatcher, message, place, context.signal, SILENCE_TIMEOUT_MS);
  }

  #exchange(
    request: Signable,
    credentials: AwsCredentials,
    place: Place,
    context: Pick<CallContext, 'onCancel'>,
  ): Promise<HttpReply> {
    const headers = this.#signer.sign(request, credentials, Date.now() + this.#skewMs);
    const { path, body } = request;
    const { origin } = this.#settings;
    const message = { origin, method: 'POST' as const, path, headers, body, maxReplyBytes: MAX_REPLY_BYTES };
    if (this.#pool.ready !== undefined) return exchange(this.#pool.ready, message, place, context);
    return untilCancelled(this.#pool.open(), place, context).then((dispatcher) =>
      exchange(dispatcher, message, place, context),
    );
  }
}

/** Refusals are short; what is longer is none of AWS's. */
async function whole({ status, headers, body }: HttpStream): Promise<HttpReply> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MAX_REPLY_BYTES) break;
    chunks.push(chunk);
  }
  return { status, headers, body: Buffer.concat(chunks) };
}

function closed({ functionName }: Place): FaasError {
  return config('is closed. Make a new one').with({ functionName, cause: undefined });
}
