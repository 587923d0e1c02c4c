/** Signed requests to the Lambda API over undici: what calls go through. Nothing of the SDK is loaded here. */
import type { FaasError } from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import { exchange, type HttpReply, untilCancelled } from '../shared/http.js';
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

function closed({ functionName }: Place): FaasError {
  return config('is closed. Make a new one').with({ functionName, cause: undefined });
}
