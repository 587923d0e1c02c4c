/** Requests that change or describe functions: through AWS's SDK, loaded when the first one is made. */
import type { LambdaClient } from '@aws-sdk/client-lambda';
import { FaasError } from '../../core/errors.js';
import type { CallScope } from '../../core/scope.js';
import { untilItWorks } from '../shared/control-retry.js';
import { untilCancelled } from '../shared/http.js';
import { importPeer } from '../shared/peers.js';
import { retryAfterMs } from '../shared/retry-after.js';
import type { AwsCredentials } from './credentials.js';
import type { DataPlane } from './data-plane.js';
import { isExpired, type Refusal, refusalError } from './errors.js';
import type { Settings } from './options.js';

export type LambdaSdk = typeof import('@aws-sdk/client-lambda');

/** One request of the SDK. */
export type Work<Output> = (
  client: LambdaClient,
  sdk: LambdaSdk,
  options: { readonly abortSignal: AbortSignal },
) => Promise<Output>;

const REQUEST_TIMEOUT_MS = 120_000;

export class ControlPlane {
  readonly #settings: Settings;
  readonly #plane: DataPlane;
  #client: LambdaClient | undefined;

  constructor(settings: Settings, plane: DataPlane) {
    this.#settings = settings;
    this.#plane = plane;
  }

  /**
   * Makes a request and repeats it while AWS throttles it or cannot work.
   * @throws {FaasError} `executed: 'no'`
   */
  async send<Output>(functionName: string, scope: CallScope, work: Work<Output>): Promise<Output> {
    return untilItWorks(scope, () => this.#once(functionName, scope, work));
  }

  /** The same where "there is no such thing" is an answer. */
  async find<Output>(
    functionName: string,
    scope: CallScope,
    work: Work<Output>,
  ): Promise<Output | undefined> {
    try {
      return await this.send(functionName, scope, work);
    } catch (error) {
      // Only AWS's own 404: an error page of something else, a denial or a throttle says nothing about the function.
      if (FaasError.is(error) && error.code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  /**
   * For clients of other services of the same account. A source that hangs is waited for as long as the scope lasts:
   * the SDK, which asks for credentials before it sends, does not look at its abort signal until then.
   * @throws {FaasError} `executed: 'no'`
   */
  credentials(functionName: string, scope: CallScope): Promise<AwsCredentials> {
    return this.#untilCancelled(this.#plane.credentials.get(), functionName, scope);
  }

  /** Frees the sockets of our own client. */
  close(): void {
    this.#client?.destroy();
    this.#client = undefined;
  }

  async #once<Output>(functionName: string, scope: CallScope, work: Work<Output>): Promise<Output> {
    this.#plane.assertOpen();
    const sdk = await importPeer(
      'LambdaExecutor',
      '@aws-sdk/client-lambda',
      () => import('@aws-sdk/client-lambda'),
    );
    const used = await this.credentials(functionName, scope);
    try {
      return await this.#call(functionName, scope, work, sdk);
    } catch (error) {
      if (!FaasError.is(error) || !isExpired(error.cause as Refusal | undefined)) throw error;
      const renewal = this.#plane.credentials.renew(used);
      if ((await this.#untilCancelled(renewal, functionName, scope)) === undefined) throw error;
      // The SDK keeps credentials as long as it believes in them.
      this.close();
      return await this.#call(functionName, scope, work, sdk);
    }
  }

  #untilCancelled<T>(work: T | Promise<T>, functionName: string, scope: CallScope): Promise<T> {
    return untilCancelled(Promise.resolve(work), this.#plane.place(functionName), scope);
  }

  async #call<Output>(
    functionName: string,
    scope: CallScope,
    work: Work<Output>,
    sdk: LambdaSdk,
  ): Promise<Output> {
    if (scope.reason !== undefined) throw scope.reason.with({ executed: 'no' });
    try {
      return await work(this.#open(sdk), sdk, { abortSignal: scope.signal });
    } catch (thrown) {
      throw this.#explain(thrown, functionName, scope);
    }
  }

  #open(sdk: LambdaSdk): LambdaClient {
    if (this.#settings.client !== undefined) return this.#settings.client;
    const { region, origin, ownEndpoint, connectTimeoutMs } = this.#settings;
    this.#client ??= new sdk.LambdaClient({
      region,
      ...(ownEndpoint && { endpoint: origin }),
      // Asked anew for each request: what is cached and for how long is decided in one place.
      credentials: async () => this.#plane.credentials.get(),
      // Repeating is decided here, by what the error means.
      maxAttempts: 1,
      requestHandler: { connectionTimeout: connectTimeoutMs, requestTimeout: REQUEST_TIMEOUT_MS },
    });
    return this.#client;
  }

  #explain(thrown: unknown, functionName: string, scope: CallScope): FaasError {
    if (FaasError.is(thrown)) return thrown;
    const place = this.#plane.place(functionName);
    if (scope.reason !== undefined) {
      return scope.reason.with({ executed: 'no', provider: place.provider, functionName });
    }
    const refusal = readSdkError(thrown);
    if (refusal !== undefined) return refusalError(refusal, 'control', place, this.#plane.redact);
    const { name, code } = thrown as { name?: string; code?: string };
    return new FaasError({
      // The SDK calls a reset a TimeoutError too: what it was stands in its code.
      code: 'UNAVAILABLE',
      executed: 'no',
      provider: place.provider,
      functionName,
      message: `${place.origin} could not be asked about ${functionName} (${code ?? name ?? 'no reason'}). Check the network and \`endpoint\`.`,
      cause: thrown,
    });
  }
}

/** Undefined when there was no reply. Its bare facts become the cause: the SDK's own error holds request and reply. */
function readSdkError(thrown: unknown): Refusal | undefined {
  const error = thrown as {
    name?: string;
    message?: string;
    Reason?: string;
    retryAfterSeconds?: string;
    $metadata?: { httpStatusCode?: number; requestId?: string };
    $response?: { statusCode?: number; headers?: Record<string, string> };
  };
  const status = error.$metadata?.httpStatusCode ?? error.$response?.statusCode;
  if (status === undefined) return undefined;
  // What the SDK cannot read gets the name of a parser's error, `Unknown`, or the status.
  const isAws =
    /^[A-Z][A-Za-z0-9]+$/.test(error.name ?? '') &&
    !/^(SyntaxError|TypeError|Unknown\w*|Error)$/.test(error.name ?? '');
  const facts = { status, type: isAws ? error.name : undefined };
  return {
    ...facts,
    message: isAws ? error.message : undefined,
    reason: error.Reason,
    requestId: error.$metadata?.requestId,
    retryAfterMs: retryAfterMs(error.retryAfterSeconds ?? error.$response?.headers?.['retry-after']),
    cause: facts,
  };
}
