/** What a case has at hand: requests, functions of its own that are removed again, and what the platform offers. */
import { randomBytes } from 'node:crypto';
import type { Platform } from './discovery.js';
import { CouldNotRun, describeReply } from './expect.js';
import { type Ask, type Reply, send } from './http.js';
import { type RawOptions, type RawReply, sendRaw } from './raw.js';
import type { Feature } from './types.js';
import { packScript } from './zip.js';

/** What stands in `X-Blueprint-Config`. */
export interface Config {
  readonly memory_mb?: number;
  readonly timeout_secs?: number;
  readonly max_concurrency?: number;
  readonly env_vars?: Readonly<Record<string, string>>;
}

export interface Invoke extends Ask {
  readonly jobId?: number;
}

export const ZIP = { 'content-type': 'application/zip' } as const;
export const JSON_TYPE = { 'content-type': 'application/json' } as const;
export const BINARY = { 'content-type': 'application/octet-stream' } as const;

const CLEANUP_MS = 10_000;
const DEPLOY_ATTEMPTS = 3;

export class CaseContext {
  readonly base: URL;
  readonly platform: Platform;
  /** The key the run was given. */
  readonly hasKey: boolean;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #signal: AbortSignal;
  /** All names this context ever put on the platform. */
  readonly #names = new Set<string>();
  readonly #scripts = new Map<string, Promise<string>>();

  constructor(base: URL, headers: Readonly<Record<string, string>>, platform: Platform, signal: AbortSignal) {
    this.base = base;
    this.platform = platform;
    this.hasKey = Object.keys(headers).some((name) => name.toLowerCase() === 'authorization');
    this.#headers = headers;
    this.#signal = signal;
  }

  offers(feature: Feature): boolean {
    return this.platform.features.has(feature);
  }

  /** One request with the headers of the run. */
  async send(method: string, path: string, ask: Ask = {}): Promise<Reply> {
    return await this.sendAs(this.#headers, method, path, ask);
  }

  /** One request without the headers of the run, so without its key. */
  async sendAs(
    identity: Readonly<Record<string, string>>,
    method: string,
    path: string,
    ask: Ask = {},
  ): Promise<Reply> {
    const signal = ask.signal === undefined ? this.#signal : AbortSignal.any([ask.signal, this.#signal]);
    return await send(this.base, method, path, { ...ask, headers: { ...identity, ...ask.headers }, signal });
  }

  /** A request line and headers as text; Host and the headers of the run are put in. `head` ends without a line end. */
  async raw(head: string, body = '', options: RawOptions = {}): Promise<RawReply> {
    return await sendRaw(this.base, this.rawRequest(head, body), options);
  }

  rawRequest(head: string, body = ''): string {
    const [line = '', ...rest] = head.split('\r\n');
    const given = Object.entries(this.#headers).map(([name, value]) => `${name}: ${value}`);
    const host = /^host:/im.test(head) ? [] : [`Host: ${this.base.host}`];
    const [method = '', path = '', version = 'HTTP/1.1'] = line.split(' ');
    const prefix = this.base.pathname.replace(/\/$/, '');
    return `${[`${method} ${prefix}${path} ${version}`, ...host, ...given, ...rest].join('\r\n')}\r\n\r\n${body}`;
  }

  /** A function id nobody has, which is removed at the end whatever happens. */
  name(label = 'f'): string {
    return this.track(`cf-${randomBytes(5).toString('hex')}-${label}`);
  }

  track(functionId: string): string {
    this.#names.add(functionId);
    return functionId;
  }

  /** A job number nobody uses, whose function is removed at the end. */
  jobNumber(): number {
    const n = 0x8000_0000 + randomBytes(4).readUInt32LE() / 2;
    this.track(`job${Math.floor(n)}`);
    return Math.floor(n);
  }

  async put(
    functionId: string,
    archive: Uint8Array,
    config?: Config,
    { query = '', headers = {} }: { query?: string; headers?: Readonly<Record<string, string>> } = {},
  ): Promise<Reply> {
    return await this.send('PUT', `/api/functions/${functionId}${query}`, {
      headers: {
        ...ZIP,
        ...(config !== undefined && { 'x-blueprint-config': encodeConfig(config) }),
        ...headers,
      },
      body: archive,
    });
  }

  /** Deploys what a case builds on. A platform that refuses is not judged here. */
  async deploy(script: string, config?: Config, functionId = this.name()): Promise<string> {
    const archive = packScript(script);
    for (let attempt = 1; ; attempt++) {
      const reply = await this.put(functionId, archive, config);
      if (reply.status === 200) return functionId;
      if ((reply.status !== 429 && reply.status !== 503) || attempt === DEPLOY_ATTEMPTS)
        throw new CouldNotRun(`a sound function was not deployed: ${describeReply(reply)}`);
      await this.sleep(1000 * Math.min(Number(reply.headers['retry-after'] ?? 1), 5));
    }
  }

  /** The function with this script and the default configuration, deployed once for the section. */
  async shared(script: string): Promise<string> {
    const deployed = this.#scripts.get(script) ?? this.deploy(script);
    this.#scripts.set(script, deployed);
    return await deployed;
  }

  async invoke(functionId: string, args: Uint8Array | string, options: Invoke = {}): Promise<Reply> {
    const { jobId = 7, headers, ...ask } = options;
    return await this.send('POST', `/api/functions/${functionId}/invoke`, {
      ...ask,
      headers: { ...JSON_TYPE, ...headers },
      body: JSON.stringify({ job_id: jobId, args: [...Buffer.from(args)] }),
    });
  }

  async health(functionId: string): Promise<Record<string, unknown>> {
    return (await this.send('GET', `/api/functions/${functionId}/health`)).json();
  }

  /** How often the function was started, as the platform counts. */
  async invocations(functionId: string): Promise<number> {
    const { total_invocations: total } = await this.health(functionId);
    if (typeof total !== 'number') throw new CouldNotRun('health does not count total_invocations');
    return total;
  }

  async sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#signal.addEventListener('abort', done, { once: true });
    });
  }

  /** Asks again and again until the answer is yes or `withinMs` have passed. */
  async eventually(withinMs: number, holds: () => Promise<boolean>): Promise<boolean> {
    const endsAt = performance.now() + withinMs;
    for (;;) {
      if (await holds()) return true;
      if (performance.now() > endsAt || this.#signal.aborted) return false;
      await this.sleep(50);
    }
  }

  /** Removes every function, also after an abort. @returns the ids that are still there */
  async cleanUp(): Promise<string[]> {
    const left: string[] = [];
    for (const functionId of this.#names) {
      const isGone = await send(this.base, 'DELETE', `/api/functions/${functionId}`, {
        headers: this.#headers,
        timeoutMs: CLEANUP_MS,
      }).then(
        // 400: a name the platform never took.
        ({ status }) => [200, 204, 400, 404].includes(status),
        () => false,
      );
      if (!isGone) left.push(functionId);
    }
    return left;
  }
}

export function encodeConfig(config: unknown): string {
  return Buffer.from(JSON.stringify(config)).toString('base64');
}
