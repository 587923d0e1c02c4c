/** Where a gateway's queue brings results: a small server that takes only what was asked for. */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CallContext } from '../../core/executor.js';
import { type HttpReply, untilCancelled } from '../shared/http.js';
import type { Place } from '../shared/transport-error.js';
import { config } from './settings.js';

export interface CallbackReceiverOptions {
  /** Where it listens. Default `127.0.0.1`: a gateway elsewhere needs another, and `url`. */
  readonly host?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** How a gateway reaches it, if not by host and port. */
  readonly url?: string;
  /** Default 32 MiB. */
  readonly maxBytes?: number;
}

/** How many calls may wait at once. */
const MAX_WAITING = 100_000;

interface Waiting {
  readonly result: Promise<HttpReply>;
  readonly resolve: (reply: HttpReply) => void;
}

/**
 * Takes a result only at its secret path, only for a call that was announced to it, and only once: whoever else sends
 * something is answered with 404.
 */
export class CallbackReceiver {
  readonly #options: CallbackReceiverOptions;
  readonly #path = `/${randomBytes(24).toString('base64url')}`;
  readonly #waiting = new Map<string, Waiting>();
  readonly #server = createServer((incoming, outgoing) => {
    this.#take(incoming, outgoing).catch(() => outgoing.destroy());
  });

  constructor(options: CallbackReceiverOptions = {}) {
    this.#options = options;
  }

  async open(): Promise<this> {
    const { host = '127.0.0.1', port = 0 } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    return this;
  }

  /** Given to gateways as `X-Callback-Url`. */
  get url(): string {
    const address = this.#server.address() as AddressInfo | null;
    if (address === null) throw config('was given a receiver that is not open: await receiver.open()');
    const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
    const base = this.#options.url ?? `http://${host}:${address.port}`;
    return `${base.replace(/\/+$/, '')}${this.#path}`;
  }

  /** Announces a call, before it is sent: its result may be faster than the answer to the request. */
  expect(callId: string): void {
    if (this.#waiting.size >= MAX_WAITING) throw config(`waits for ${MAX_WAITING} results already`);
    const { promise, resolve } = Promise.withResolvers<HttpReply>();
    this.#waiting.set(callId, { result: promise, resolve });
  }

  /** The result of an announced call; whoever stops waiting for it is brought none later. */
  async wait(callId: string, place: Place, context: CallContext): Promise<HttpReply> {
    const waiting = this.#waiting.get(callId);
    if (waiting === undefined) throw config('was asked for a result that nobody announced, or twice');
    try {
      return await untilCancelled(waiting.result, place, context);
    } finally {
      this.#waiting.delete(callId);
    }
  }

  forget(callId: string): void {
    this.#waiting.delete(callId);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #take(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { 'x-call-id': callId, 'x-function-status': status } = incoming.headers;
    const waiting = typeof callId === 'string' ? this.#waiting.get(callId) : undefined;
    const path = new URL(incoming.url ?? '/', 'http://x').pathname;
    if (incoming.method !== 'POST' || !path.endsWith(this.#path) || waiting === undefined)
      return void outgoing.writeHead(404).end();
    const body = await collect(incoming, this.#options.maxBytes ?? 32 * 1024 * 1024);
    if (body === undefined) return void outgoing.writeHead(413).end();
    // Of the function's own reply: a callback itself is always a POST that arrived.
    waiting.resolve({ status: Number(status) || 502, headers: incoming.headers, body });
    outgoing.writeHead(200).end();
  }
}

async function collect(incoming: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming) {
    bytes += (chunk as Buffer).length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}
