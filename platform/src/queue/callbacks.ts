/**
 * Tells the end of an asynchronous call to the URL its caller named: a POST with the function's own body and headers.
 * What was promised survives the platform: it is tried again by the next one. So a call may be told twice, by its id.
 */

import { messageOf, PlatformError } from '../domain/errors.js';
import type { Log } from '../domain/log.js';
import { endToEnd, replyOf } from '../domain/web-call.js';
import type { CallbackStore, PendingCallback } from '../store/callback-store.js';
import { HostLines } from './host-lines.js';
import { type Invocation, isTerminal } from './invocation.js';

export interface CallbacksParts {
  readonly store: CallbackStore;
  /** Undefined when its time in the records is over. */
  readonly find: (invocationId: string) => Invocation | undefined;
  /** `{name}.{namespace}`, for the one who is told. */
  readonly nameOf: (functionId: string) => string;
  /** Host names, with a port or without, that may be called; `*` for all. */
  readonly hosts: readonly string[];
  readonly userAgent: string;
  readonly log: Log;
}

const TRIES = 4;
const FIRST_PAUSE_MS = 1000;
const PATIENCE_MS = 10_000;
/** Each holds a connection and a whole answer; a host that is silent must not hold them all. */
const AT_ONCE = { total: 16, perHost: 4 };
export const LOOPBACK_HOSTS = ['localhost', '127.0.0.1', '[::1]'];

export class Callbacks {
  readonly #parts: CallbacksParts;
  readonly #stopping = new AbortController();
  readonly #lines = new HostLines(AT_ONCE);
  /** Those that wait for their turn, for another try or for an answer. */
  readonly #underWay = new Set<string>();
  readonly #pauses = new Set<NodeJS.Timeout>();

  constructor(parts: CallbacksParts) {
    this.#parts = parts;
  }

  /**
   * A platform inside a network must not knock on doors there for whoever asks it to.
   * @throws PlatformError INVALID_REQUEST with the reason
   */
  check(url: string): void {
    if (!URL.canParse(url)) {
      const shown = JSON.stringify(url.slice(0, 200));
      throw new PlatformError('INVALID_REQUEST', `parse ${shown}: it is no URL`);
    }
    const { protocol, host, hostname, username } = new URL(url);
    if (protocol !== 'http:' && protocol !== 'https:') throw refused('a callback must be http or https');
    if (username !== '') throw refused('a callback must not carry a password');
    const { hosts } = this.#parts;
    if (!hosts.includes('*') && !hosts.includes(host) && !hosts.includes(hostname))
      throw refused(`the host ${hostname} is not among those that may be called back`);
  }

  /** Belongs into the write that accepts the call, so that there is neither without the other. */
  register(invocationId: string, url: string): void {
    this.#parts.store.put({ invocationId, url });
  }

  /** The invocation has ended. */
  onEnd(invocationId: string): void {
    const callback = this.#parts.store.get(invocationId);
    if (callback !== undefined) this.#begin(callback);
  }

  /** Takes up what an earlier platform owed. */
  recover(): void {
    for (const callback of this.#parts.store.list()) this.#begin(callback);
  }

  /** What is not told by now is left for the next platform. */
  async close(): Promise<void> {
    this.#stopping.abort();
    for (const timer of this.#pauses) clearTimeout(timer);
    await this.#lines.close();
  }

  #begin(callback: PendingCallback): void {
    const { invocationId } = callback;
    if (this.#stopping.signal.aborted || this.#underWay.has(invocationId)) return;
    this.#underWay.add(invocationId);
    this.#queue(callback, 1);
  }

  #queue(callback: PendingCallback, tries: number): void {
    this.#lines.push(new URL(callback.url).host, () => this.#try(callback, tries));
  }

  /** The answer is read when its turn has come, and not kept between two tries. */
  async #try(callback: PendingCallback, tries: number): Promise<void> {
    const { invocationId, url } = callback;
    const { log, find, store } = this.#parts;
    const { signal } = this.#stopping;
    try {
      const invocation = find(invocationId);
      if (invocation !== undefined) {
        // It is told of when it ends.
        if (!isTerminal(invocation.status)) return void this.#underWay.delete(invocationId);
        const status = await this.#post(url, invocation);
        if (status >= 500) throw new Error(`it was answered ${status}`);
        log('info', 'called-back', { invocationId, status, tries });
      }
    } catch (error) {
      if (signal.aborted) return;
      log('warn', 'not-called-back', { invocationId, tries, error: messageOf(error) });
      if (tries < TRIES) return this.#pause(callback, tries);
    }
    this.#underWay.delete(invocationId);
    try {
      store.delete(invocationId);
    } catch (error) {
      // It comes once more with the next platform, which does less harm than to end this one.
      log('error', 'callback-not-forgotten', { invocationId, error: messageOf(error) });
    }
  }

  #pause(callback: PendingCallback, tries: number): void {
    const again = (): void => {
      this.#pauses.delete(timer);
      this.#queue(callback, tries + 1);
    };
    const timer = setTimeout(again, FIRST_PAUSE_MS * 2 ** (tries - 1));
    this.#pauses.add(timer);
  }

  async #post(url: string, invocation: Invocation): Promise<number> {
    const { outcome, startedAtMs, finishedAtMs } = invocation;
    const reply = outcome?.ok ? replyOf(outcome.reply) : undefined;
    const headers = new Headers();
    const kept = endToEnd(reply?.headers ?? [], ['content-length', 'set-cookie']);
    for (let at = 0; at < kept.length; at += 2) headers.append(kept[at] ?? '', kept[at + 1] ?? '');
    const seconds = ((finishedAtMs ?? 0) - (startedAtMs ?? finishedAtMs ?? 0)) / 1000;
    headers.set('X-Call-Id', callIdOf(invocation));
    headers.set('X-Duration-Seconds', seconds.toFixed(6));
    headers.set('X-Function-Status', String(reply?.status ?? statusOf(invocation)));
    headers.set('X-Function-Name', this.#parts.nameOf(invocation.functionId));
    headers.set('User-Agent', this.#parts.userAgent);
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body: new Uint8Array(reply?.body ?? []),
      // Where it leads was not checked.
      redirect: 'manual',
      signal: AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(PATIENCE_MS)]),
    });
    await response.body?.cancel();
    return response.status;
  }
}

/** The name under which its caller knows the call. */
export function callIdOf({ callId, invocationId }: Invocation): string {
  return callId ?? invocationId;
}

/** The status a caller would have got, had it waited. */
export function statusOf({ outcome }: Invocation): number {
  if (outcome === undefined) return 503;
  return outcome.ok ? replyOf(outcome.reply).status : outcome.error.status;
}

function refused(reason: string): PlatformError {
  return new PlatformError('INVALID_REQUEST', `X-Callback-Url: ${reason}.`);
}
