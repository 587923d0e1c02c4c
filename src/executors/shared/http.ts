/**
 * One HTTP request on an undici dispatcher, as cheap as it can be made: per request one handler and one promise,
 * no AbortController and no timer. It knows how far the request got, which is what `executed` is made of.
 */
import type { Dispatcher } from 'undici';
import type { FaasError } from '../../core/errors.js';
import type { CallContext } from '../../core/executor.js';
import {
  type HttpFailure,
  type HttpPhase,
  type Place,
  tooLargeError,
  transportError,
} from './transport-error.js';

export interface HttpRequest {
  readonly origin: string;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query, already encoded. */
  readonly path: string;
  /** Names and values in turn. */
  readonly headers: string[];
  readonly body?: Uint8Array | undefined;
  /** A longer reply is cut off and fails with PAYLOAD_TOO_LARGE. */
  readonly maxReplyBytes: number;
  /** The executor's option that sets `maxReplyBytes`, for the text of that error. Default: it has none. */
  readonly maxReplyOption?: string | undefined;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/**
 * Sends one request and collects the reply, whatever its status. Redirects are not followed.
 * Cancelling the context settles the promise at once and frees the socket.
 * @throws {FaasError} when there is no complete reply; `place` is for its text.
 */
export function exchange(
  dispatcher: Dispatcher,
  request: HttpRequest,
  place: Place,
  context: Pick<CallContext, 'onCancel'>,
): Promise<HttpReply> {
  return new Promise((resolve, reject) => {
    const { maxReplyBytes, maxReplyOption } = request;
    const handler = new ExchangeHandler(maxReplyBytes, maxReplyOption, place, resolve, reject);
    handler.leaveContext = context.onCancel((reason) => handler.cancel(reason));
    if (handler.settled) return;
    try {
      // The body is read-only here; undici's type asks for a Buffer only because it may be one.
      dispatcher.dispatch(request as Dispatcher.DispatchOptions, handler);
    } catch (cause) {
      handler.onResponseError(null, cause);
    }
  });
}

/**
 * Waits for something that must be there before a request can be sent, or stops waiting when the call is cancelled.
 * @throws {FaasError} the reason, with `executed: 'no'`, or what `work` rejects with.
 */
export function untilCancelled<T>(
  work: Promise<T>,
  place: Place,
  context: Pick<CallContext, 'onCancel'>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = context.onCancel((cause) =>
      reject(transportError({ kind: 'cancelled', phase: 'queued', status: undefined, cause }, place)),
    );
    work.then(resolve, reject).finally(leave);
  });
}

const EMPTY = Buffer.alloc(0);

class ExchangeHandler implements Dispatcher.DispatchHandler {
  readonly #maxReplyBytes: number;
  readonly #maxReplyOption: string | undefined;
  readonly #place: Place;
  readonly #resolve: (reply: HttpReply) => void;
  readonly #reject: (error: FaasError) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #phase: HttpPhase = 'queued';
  #status = 0;
  #headers: HttpReply['headers'] = {};
  #bytes = 0;
  // Most replies arrive in one piece: the array is made for the second.
  #first: Buffer | undefined;
  #more: Buffer[] | undefined;
  settled = false;
  leaveContext: (() => void) | undefined;

  constructor(
    maxReplyBytes: number,
    maxReplyOption: string | undefined,
    place: Place,
    resolve: (reply: HttpReply) => void,
    reject: (error: FaasError) => void,
  ) {
    this.#maxReplyBytes = maxReplyBytes;
    this.#maxReplyOption = maxReplyOption;
    this.#place = place;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  cancel(reason: FaasError): void {
    this.#fail('cancelled', reason);
    // Closes the socket: the server sees that nobody waits any more.
    this.#controller?.abort(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Cancelled while queued. Throwing drops this request and keeps the socket; abort() would close it.
    if (this.settled) throw new Error('The request was cancelled before it was sent.');
    this.#controller = controller;
    this.#phase = 'sent';
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: HttpReply['headers'],
  ): void {
    if (status < 200) return;
    this.#phase = 'replying';
    this.#status = status;
    this.#headers = headers;
    if (Number(headers['content-length']) > this.#maxReplyBytes) this.#refuse(controller);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.settled) return;
    this.#bytes += chunk.length;
    if (this.#bytes > this.#maxReplyBytes) this.#refuse(controller);
    else if (this.#first === undefined) this.#first = chunk;
    else {
      this.#more ??= [this.#first];
      this.#more.push(chunk);
    }
  }

  onResponseEnd(): void {
    if (this.settled) return;
    this.#settle();
    const body = this.#more === undefined ? this.#first : Buffer.concat(this.#more, this.#bytes);
    this.#resolve({ status: this.#status, headers: this.#headers, body: body ?? EMPTY });
  }

  onResponseError(_controller: unknown, cause: unknown): void {
    this.#fail('transport', cause);
  }

  #refuse(controller: Dispatcher.DispatchController): void {
    if (this.settled) return;
    const error = tooLargeError(this.#maxReplyBytes, this.#maxReplyOption, this.#status, this.#place);
    this.#settle();
    this.#reject(error);
    controller.abort(error);
  }

  #fail(kind: HttpFailure['kind'], cause: unknown): void {
    if (this.settled) return;
    this.#settle();
    const status = this.#phase === 'replying' ? this.#status : undefined;
    this.#reject(transportError({ kind, phase: this.#phase, status, cause }, this.#place));
  }

  #settle(): void {
    this.settled = true;
    this.leaveContext?.();
  }
}
